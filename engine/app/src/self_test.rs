//! `skua selftest`: does a WSK provider keep the rules that WSK is documented by?
//!
//! Without `--driver` the provider is the one in this program, the same that `skua sink` receives by; with it, the one under
//! the driver, which must be built with the feature `self-test`.

mod here;
mod row;

use std::io::{self, Write};

use crate::cli::SelfTestArgs;
use crate::driver::client::Client;
use crate::driver::error::DriverError;
use row::{Outcome, Row};

/// Why `skua selftest` does not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SelfTestError {
    /// The driver could not be asked.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// No provider.
    #[error("the provider does not come: {0}")]
    Provider(skua_engine::abi::status::NTSTATUS),
    /// Rules are broken.
    #[error("{failed} of {rules} rules are broken; `skua selftest --json` tells each by itself")]
    Broken {
        /// How many.
        failed: usize,
        /// Of how many.
        rules: usize,
    },
    /// The table could not be written.
    #[error("cannot write the table: {0}")]
    Output(#[from] io::Error),
}

/// Runs the checks and prints the table.
///
/// # Errors
/// [`SelfTestError`].
pub(crate) fn run(args: &SelfTestArgs) -> Result<(), SelfTestError> {
    let rows = if args.driver { of_driver(&Client::open()?)? } else { here::run()? };
    report(&rows, args.json, &mut io::stdout().lock())
}

/// The results of the checks inside the driver.
fn of_driver(client: &Client) -> Result<Vec<Row>, DriverError> {
    Ok(client.self_test()?.iter().map(Row::of).collect())
}

/// Prints the table, or a line of JSON for each rule.
fn report(rows: &[Row], json: bool, output: &mut impl Write) -> Result<(), SelfTestError> {
    let failed = rows.iter().filter(|row| row.outcome.is_failure()).count();
    if json {
        for row in rows {
            serde_json::to_writer(&mut *output, row).map_err(io::Error::from)?;
            writeln!(output)?;
        }
    } else {
        table(rows, output)?;
    }
    if failed > 0 { Err(SelfTestError::Broken { failed, rules: rows.len() }) } else { Ok(()) }
}

fn table(rows: &[Row], output: &mut impl Write) -> io::Result<()> {
    let width = |cell: fn(&Row) -> &str| rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or(0);
    let (names, groups) = (width(|row| &row.rule), width(|row| &row.group));
    let expected = width(|row| &row.expected).min(40);
    writeln!(output, "{:9}  {:groups$}  {:names$}  {:expected$}  SEEN", "", "ABOUT", "RULE", "EXPECTED")?;
    for row in rows {
        let Row { rule, group, outcome, expected: wanted, seen } = row;
        writeln!(output, "{:9}  {group:groups$}  {rule:names$}  {wanted:expected$}  {seen}", outcome.word())?;
    }
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    writeln!(
        output,
        "{} rules: {} kept, {} broken, {} hung, {} not applicable",
        rows.len(),
        count(Outcome::Kept),
        count(Outcome::Broken),
        count(Outcome::Hung),
        count(Outcome::NotApplicable)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_in_this_program_keeps_every_rule() {
        let rows = here::run().unwrap();
        let mut printed = Vec::new();
        let result = report(&rows, false, &mut printed);
        let printed = String::from_utf8(printed).unwrap();
        assert!(result.is_ok(), "{printed}");
        assert!(rows.len() >= 150, "{} rules", rows.len());
        assert_eq!(printed.lines().count(), rows.len() + 2);
    }

    #[test]
    fn a_broken_rule_is_in_the_table_and_in_the_verdict() {
        let row = Row {
            rule: "water is wet".to_owned(),
            group: "nature".to_owned(),
            outcome: Outcome::Broken,
            expected: "wet".to_owned(),
            seen: "dry".to_owned(),
        };
        for json in [false, true] {
            let mut printed = Vec::new();
            let error = report(std::slice::from_ref(&row), json, &mut printed).unwrap_err();
            assert!(matches!(error, SelfTestError::Broken { failed: 1, rules: 1 }), "{error}");
            let printed = String::from_utf8(printed).unwrap();
            assert!(["water is wet", "nature", "wet", "dry"].iter().all(|word| printed.contains(word)));
        }
    }
}
