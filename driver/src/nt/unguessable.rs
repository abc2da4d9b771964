//! Names that do not repeat and that are not foreseen.
//!
//! The kernel's random generator is cng.sys's, an image that a driver would have to depend on for a name. What ntoskrnl
//! itself has is weaker, so several sources go into each name: RtlRandomEx (one generator for the whole system, fed by every
//! caller), ExUuidCreate (unique by clock, sequence and machine), the performance counter, the clocks, and an address of
//! the kernel's that it does not tell programs. That is enough for names: a name that someone took before is an error of
//! ZwCreateSection, not a way in.

// UNSAFETY: calls the kernel's generators.
#![expect(unsafe_code, reason = "the kernel fills in a number")]

use skua_engine::abi::nt::GUID;

use skua_engine::Kernel as _;
use skua_nt::NtKernel;
use skua_nt::bindings::{self as sys, imports};

/// 128 bits.
pub(super) fn bits_128() -> u128 {
    let ticks = NtKernel.ke_query_performance_counter();
    #[expect(clippy::cast_possible_truncation, reason = "the fast-changing half is the seed")]
    let mut seed = ticks as u32;
    let mut random = || {
        // SAFETY: the place of a seed, which is written as well.
        let low = unsafe { imports::RtlRandomEx(&raw mut seed) };
        u64::from(low) << 32 | u64::from(seed)
    };
    let mut unique = GUID::default();
    // SAFETY: the place of an identifier. It fails when the network address is not unique, and that is no loss here.
    let _status = unsafe { sys::ExUuidCreate((&raw mut unique).cast()) };
    let unique: [u64; 2] = bytemuck::cast(unique);
    // SAFETY: it takes nothing.
    let process = sys::process(unsafe { sys::IoGetCurrentProcess() }).addr() as u64;
    let stack = (&raw const ticks).addr() as u64;
    mix(&[
        ticks,
        random(),
        random(),
        unique[0],
        unique[1],
        NtKernel.ke_query_system_time_precise(),
        NtKernel.ke_query_interrupt_time(),
        process,
        stack,
        random(),
        random(),
    ])
}

/// Spreads every bit of every word over the result: two chains of SplitMix64's finaliser, which is a bijection, so that
/// words which differ give results which differ.
fn mix(words: &[u64]) -> u128 {
    let chain = |start: u64| words.iter().fold(start, |state, word| finalise(state.wrapping_add(*word)));
    u128::from(chain(0x9E37_79B9_7F4A_7C15)) << 64 | u128::from(chain(0xD1B5_4A32_D192_ED03))
}

fn finalise(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::mix;

    #[test]
    fn one_bit_of_any_word_changes_about_half_of_the_result() {
        let words = [7u64; 11];
        let base = mix(&words);
        for word in 0..words.len() {
            for bit in 0..64 {
                let mut changed = words;
                changed[word] ^= 1 << bit;
                let differing = (mix(&changed) ^ base).count_ones();
                assert!((24..=104).contains(&differing), "word {word}, bit {bit}: {differing} bits");
            }
        }
    }
}
