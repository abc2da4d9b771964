//! Filters and limits, as requests give them and as the engine takes them; changing those of a sink that runs.

use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU32;

use skua_engine::abi::status::{
    NTSTATUS, STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_SUCCESS,
};
use skua_engine::admission::{Allow, Limits, Prefix, Rate};
use skua_pools::{OutOfMemory, Slab};
use skua_protocol::{AllowedPrefix, ChangeSink, ChangeSinkHeader, Invalid, Limits as AskedLimits};

use super::{RunningSink, TAG};
use crate::executive::Executive;

impl<E: Executive> RunningSink<E> {
    /// Puts other rules and limits in force; batches that begin from now on run under them. The limits come first, and
    /// those from before come back where the rules are refused.
    pub(crate) fn change(&mut self, executive: &E, request: &ChangeSink<'_>) -> NTSTATUS {
        let has = |flag| request.header.flags & flag != 0;
        let admission = self.engine.admission();
        let rules = match prefixes(executive, request.prefixes(), request.header.prefixes) {
            Err(status) => return status,
            Ok(rules) => rules,
        };
        let before = admission.limits();
        if has(ChangeSinkHeader::LIMITS) {
            let set = limits(&request.header.limits).map(|limits| admission.set_limits(&limits).is_ok());
            if set != Ok(true) {
                return STATUS_INVALID_PARAMETER;
            }
        }
        let replaced = if has(ChangeSinkHeader::ALLOW) {
            admission.replace(Allow::Only(&rules))
        } else if has(ChangeSinkHeader::EVERYONE) {
            admission.replace(Allow::Everyone)
        } else {
            Ok(())
        };
        if replaced.is_err() {
            // They were in force.
            let _back = admission.set_limits(&before);
            return STATUS_INVALID_PARAMETER;
        }
        if has(ChangeSinkHeader::ALLOW | ChangeSinkHeader::EVERYONE) {
            self.allow_listed = has(ChangeSinkHeader::ALLOW);
            self.prefixes = u32::from(request.header.prefixes);
        }
        STATUS_SUCCESS
    }
}

/// `count` rules, as the engine takes them. Host bits are left out.
///
/// # Errors
/// STATUS_INSUFFICIENT_RESOURCES, or STATUS_INVALID_PARAMETER where there are fewer good ones.
pub(super) fn prefixes<E: Executive>(
    executive: &E,
    asked: impl Iterator<Item = AllowedPrefix>,
    count: u16,
) -> Result<Slab<Prefix, E>, NTSTATUS> {
    let everyone = Prefix::containing(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    let everyone = everyone.map_err(|_| STATUS_INVALID_PARAMETER)?;
    let mut asked = asked.filter_map(|prefix| {
        let (address, bits) = prefix.prefix().ok()?;
        Prefix::containing(address, bits).ok()
    });
    let mut short = false;
    let rules = Slab::new(executive.clone(), TAG, usize::from(count), |_| {
        let rule = asked.next();
        short |= rule.is_none();
        rule.unwrap_or(everyone)
    });
    match rules {
        Err(OutOfMemory { .. }) => Err(STATUS_INSUFFICIENT_RESOURCES),
        Ok(_) if short => Err(STATUS_INVALID_PARAMETER),
        Ok(rules) => Ok(rules),
    }
}

/// The limits, as the engine takes them.
///
/// # Errors
/// [`Invalid`] for a sampling divisor of 0.
pub(super) fn limits(asked: &AskedLimits) -> Result<Limits, Invalid> {
    Ok(Limits {
        rate: rate(asked.source_rate, asked.source_burst),
        other_rate: rate(asked.other_rate, asked.other_burst),
        sample: NonZeroU32::new(asked.sample).ok_or(Invalid::Range("the sampling divisor"))?,
    })
}

/// A rate of 0 is none, a burst of 0 that of one second.
fn rate(per_second: u32, burst: u32) -> Option<Rate> {
    let per_second = NonZeroU32::new(per_second)?;
    let rate = Rate::new(per_second);
    Some(NonZeroU32::new(burst).map_or(rate, |burst| Rate { burst, ..rate }))
}
