//! Runs the suite over a kernel, and prints the table.

use std::fmt;

use skua_conformance::{Category, Check, Outcome, Surroundings, TAG, Tag, checks, survey};
use skua_engine::Kernel;
use skua_engine::abi::status::STATUS_SUCCESS;
use skua_engine::abi::wsk::{
    WSK_CLIENT_DISPATCH, WSK_CLIENT_NPI, WSK_INFINITE_WAIT, WSK_PROVIDER_NPI, WSK_REGISTRATION,
};
use skua_engine::abi::zeroed;
use skua_hosted::{Finding, HostKernel};

pub(crate) static CLIENT_DISPATCH: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: 0x0100, Reserved: 0, WskClientEvent: None };

/// One check and how it ended.
pub(crate) struct Row {
    pub(crate) category: Category,
    pub(crate) check: &'static Check<HostKernel>,
    pub(crate) outcome: Outcome,
    /// What the verifier of the kernel found while it ran.
    pub(crate) findings: Vec<Finding>,
}

/// What the suite found.
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
}

impl Table {
    /// Runs every check over `kernel`, which is left as it was.
    #[track_caller]
    pub(crate) fn of(kernel: &HostKernel) -> Self {
        Self::with(kernel, |found| found)
    }

    /// The same, with what was found out about the surroundings changed.
    #[track_caller]
    pub(crate) fn with(kernel: &HostKernel, change: impl FnOnce(Surroundings) -> Surroundings) -> Self {
        let mut registration: Box<WSK_REGISTRATION> = Box::new(zeroed());
        let mut client =
            WSK_CLIENT_NPI { ClientContext: std::ptr::null_mut(), Dispatch: &raw const CLIENT_DISPATCH };
        // SAFETY: the block is boxed and the table static.
        assert_eq!(unsafe { kernel.wsk_register(&raw mut client, &raw mut *registration) }, STATUS_SUCCESS);
        let mut npi: WSK_PROVIDER_NPI = zeroed();
        // SAFETY: registered above.
        let status = unsafe {
            kernel.wsk_capture_provider_npi(&raw mut *registration, WSK_INFINITE_WAIT, &raw mut npi)
        };
        assert_eq!(status, STATUS_SUCCESS);
        // SAFETY: captured above, released below.
        let surroundings = change(unsafe { survey(kernel, npi) });
        let only = std::env::var("SKUA_CHECK").unwrap_or_default();
        let rows: Vec<Row> = checks::<HostKernel>()
            .filter(|(_, check)| check.name.contains(&only))
            .map(|(category, check)| {
                // SAFETY: as above.
                let outcome = unsafe { check.run(kernel, npi, surroundings) };
                Row { category, check, outcome, findings: kernel.take_findings() }
            })
            .collect();
        if rows.iter().any(|row| matches!(row.outcome, Outcome::Hung { .. })) {
            // What hung may still use the registration, and deregistering would wait for it.
            let _left = Box::leak(registration);
            return Self { rows };
        }
        // SAFETY: pays for the capture above.
        unsafe { kernel.wsk_release_provider_npi(&raw mut *registration) };
        // SAFETY: registered above.
        unsafe { kernel.wsk_deregister(&raw mut *registration) };
        let outstanding = kernel.outstanding();
        assert!(outstanding.is_empty(), "{outstanding:?}");
        let tags = kernel.memory_by_tag();
        assert!(tags.iter().all(|tag| tag.tag != TAG || tag.in_use == 0), "{tags:?}");
        Self { rows }
    }

    /// Fails with the rows that are not kept.
    #[track_caller]
    pub(crate) fn keeps_every_rule(&self) {
        self.keeps_every_rule_but(&[]);
    }

    /// Fails with the rows that are not kept and not among the rules named with a reason; and with such a rule that is
    /// kept, for then there is no reason.
    #[track_caller]
    pub(crate) fn keeps_every_rule_but(&self, known: &[(&str, &str)]) {
        println!("{self}");
        let is_known = |row: &Row| known.iter().any(|(name, _)| *name == row.check.name);
        let wrong = self.rows.iter().filter(|row| {
            if is_known(row) { matches!(row.outcome, Outcome::Kept(_)) } else { row.outcome.is_failure() }
        });
        let wrong = Self::render(wrong);
        assert!(wrong.is_empty(), "the provider breaks rules, or keeps what it is known to break:\n{wrong}");
        let findings = self.findings();
        assert!(findings.is_empty(), "checks do what a client must not do:\n{findings}");
    }

    /// What the verifier found while checks ran that do what a client may do.
    fn findings(&self) -> String {
        let contracts = self.rows.iter().filter(|row| row.check.tag == Tag::Contract);
        contracts
            .flat_map(|row| row.findings.iter().map(move |finding| format!("{}: {finding}", row.check.name)))
            .collect()
    }

    fn render<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
        rows.map(|Row { category, check, outcome, .. }| {
            let (word, expected, seen) = (outcome.word(), outcome.expected(), outcome.seen());
            format!("{word:6} {:16} {}  | {expected} | {seen}\n", category.name(), check.name)
        })
        .collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Self::render(self.rows.iter()))?;
        let count = |word| self.rows.iter().filter(|row| row.outcome.word() == word).count();
        let (kept, elsewhere) = (count("ok"), count("n/a"));
        write!(f, "{} rules: {kept} kept, {elsewhere} not applicable", self.rows.len())
    }
}
