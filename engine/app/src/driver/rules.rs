//! Rules of the Windows Firewall, as the registry has them.
//!
//! A rule is one string of fields that end with `|`: `v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=17|LPort=514|Name=x|`
//! (MS-GPFAS 2.2.2.19, MS-FASP 2.2.37). A field that is left out restricts nothing.

/// Number of UDP among the protocols of IP.
const UDP: &str = "17";

/// What the rules say of datagrams to one port of the system's own sockets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// A rule lets them in.
    Allowed(String),
    /// A rule keeps them out, whatever another one says.
    Blocked(String),
    /// No rule is about them, and the firewall keeps them out.
    NoRule,
}

/// What `rules` say of UDP to `port`.
pub(crate) fn verdict(rules: &[String], port: u16) -> Verdict {
    let applying: Vec<Rule<'_>> =
        rules.iter().filter_map(|text| Rule::parse(text)).filter(|rule| rule.is_about(port)).collect();
    let first = |allows| applying.iter().find(|rule| rule.allows == allows).map(|rule| rule.name.to_owned());
    match (first(false), first(true)) {
        (Some(name), _) => Verdict::Blocked(name),
        (None, Some(name)) => Verdict::Allowed(name),
        (None, None) => Verdict::NoRule,
    }
}

/// A rule in force for datagrams that come in, of any program or of the system.
struct Rule<'r> {
    name: &'r str,
    allows: bool,
    // Ranges of ports; none stands for all.
    ports: Vec<(u16, u16)>,
}

impl<'r> Rule<'r> {
    /// `None` for a rule that is not about UDP coming in to the system's own sockets.
    fn parse(text: &'r str) -> Option<Self> {
        let mut rule = Self { name: "", allows: false, ports: Vec::new() };
        let mut incoming = false;
        for (key, value) in text.split('|').filter_map(|field| field.split_once('=')) {
            match key {
                "Action" => rule.allows = value == "Allow",
                "Active" if value != "TRUE" => return None,
                "Dir" => incoming = value == "In",
                "Protocol" if value != UDP => return None,
                // Sockets of the kernel belong to the system process.
                "App" if !value.eq_ignore_ascii_case("System") => return None,
                "Svc" if value != "*" => return None,
                "LPort" | "LPort2_10" => rule.ports.push(range(value)?),
                "Name" => rule.name = value,
                _ => {}
            }
        }
        incoming.then_some(rule)
    }

    fn is_about(&self, port: u16) -> bool {
        self.ports.is_empty() || self.ports.iter().any(|(first, last)| (*first..=*last).contains(&port))
    }
}

/// A port or a range of ports; `None` for one that has a name, such as RPC's.
fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.parse().ok()?, last.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSLOG: &str =
        "v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=17|LPort=514|LPort=9125|Name=syslog|";

    fn of(rules: &[&str], port: u16) -> Verdict {
        let rules: Vec<String> = rules.iter().map(ToString::to_string).collect();
        verdict(&rules, port)
    }

    #[test]
    fn a_rule_lets_in_the_ports_it_names() {
        for port in [514, 9125] {
            assert_eq!(of(&[SYSLOG], port), Verdict::Allowed("syslog".into()));
        }
        assert_eq!(of(&[SYSLOG], 515), Verdict::NoRule);
        assert_eq!(of(&[], 514), Verdict::NoRule);
        let range = "v2.30|Action=Allow|Active=TRUE|Dir=In|Protocol=17|LPort2_10=500-600|Name=r|";
        assert_eq!(of(&[range], 514), Verdict::Allowed("r".into()));
        assert_eq!(of(&[range], 601), Verdict::NoRule);
    }

    #[test]
    fn a_rule_that_names_nothing_is_about_everything() {
        assert_eq!(
            of(&["v2.30|Action=Allow|Active=TRUE|Dir=In|Name=all|"], 1),
            Verdict::Allowed("all".into())
        );
    }

    #[test]
    fn other_rules_do_not_count() {
        for rule in [
            SYSLOG.replace("TRUE", "FALSE"),
            SYSLOG.replace("Dir=In", "Dir=Out"),
            SYSLOG.replace("=17", "=6"),
            format!("{SYSLOG}App=C:\\x.exe|"),
            format!("{SYSLOG}Svc=dnscache|"),
            SYSLOG.replace("514|LPort=9125", "RPC"),
            String::new(),
            "nonsense".into(),
        ] {
            assert_eq!(of(&[&rule], 514), Verdict::NoRule, "{rule}");
        }
        assert_eq!(of(&[&format!("{SYSLOG}App=System|")], 514), Verdict::Allowed("syslog".into()));
    }

    #[test]
    fn a_rule_that_blocks_goes_before_one_that_allows() {
        let block = "v2.30|Action=Block|Active=TRUE|Dir=In|Protocol=17|Name=no|";
        assert_eq!(of(&[SYSLOG, block], 514), Verdict::Blocked("no".into()));
    }
}
