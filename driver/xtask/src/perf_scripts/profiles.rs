//! The recording profiles for Windows Performance Recorder.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use roxmltree::{Document, Node};
use skua_driver::trace;

/// The profiles, each of which WPR wants twice: to a file and to memory.
const NAMES: [&str; 3] = ["SkuaLight", "SkuaStacks", "SkuaDrops"];

/// What an element refers to by its `Value`, or its `Base`, and the element that has it as its `Id`.
const REFERENCES: [(&str, &str, &str); 5] = [
    ("SystemCollectorId", "Value", "SystemCollector"),
    ("EventCollectorId", "Value", "EventCollector"),
    ("SystemProviderId", "Value", "SystemProvider"),
    ("EventProviderId", "Value", "EventProvider"),
    ("Profile", "Base", "Profile"),
];

/// Checks the profiles in `file`.
pub(super) fn check(file: &Path) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let document = Document::parse(&text).with_context(|| format!("{} is not XML", file.display()))?;
    ensure!(
        document.root_element().has_tag_name("WindowsPerformanceRecorder"),
        "{} holds no profiles",
        file.display()
    );
    references(&document)?;
    order(&document)?;
    twice(&document)?;
    provider(&document)?;
    println!("profiles: {} are complete and ask for the driver's events", NAMES.join(", "));
    Ok(())
}

fn elements<'a, 'input: 'a>(
    document: &'a Document<'input>,
    tag: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    document.descendants().filter(move |node| node.has_tag_name(tag))
}

fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str> {
    node.attribute(name).with_context(|| format!("{} lacks {name}", node.tag_name().name()))
}

/// What is referred to is there.
fn references(document: &Document<'_>) -> Result<()> {
    for (from, by, to) in REFERENCES {
        let there: BTreeSet<_> = elements(document, to).filter_map(|node| node.attribute("Id")).collect();
        for id in elements(document, from).filter_map(|node| node.attribute(by)) {
            ensure!(there.contains(id), "{from} refers to {id}, and there is no such {to}");
        }
    }
    Ok(())
}

/// WPR takes collectors first, then system providers, event providers and profiles (Microsoft's page "2. System and Event
/// Provider Definitions").
fn order(document: &Document<'_>) -> Result<()> {
    let rank = |node: &Node<'_, '_>| match node.tag_name().name() {
        "SystemCollector" | "EventCollector" => 0,
        "SystemProvider" => 1,
        "EventProvider" => 2,
        _ => 3,
    };
    let profiles = elements(document, "Profiles").next().context("there is no element Profiles")?;
    let ranks: Vec<_> = profiles.children().filter(Node::is_element).map(|node| rank(&node)).collect();
    ensure!(ranks.is_sorted(), "collectors, system providers, event providers and profiles are out of order");
    Ok(())
}

/// Each profile is there for both modes, under the identifier that WPR makes of its attributes.
fn twice(document: &Document<'_>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for profile in elements(document, "Profile") {
        let (name, mode) = (attribute(profile, "Name")?, attribute(profile, "LoggingMode")?);
        let id = format!("{name}.{}.{mode}", attribute(profile, "DetailLevel")?);
        ensure!(attribute(profile, "Id")? == id, "a profile has not the identifier {id}");
        attribute(profile, "Description")?;
        seen.insert((name, mode));
    }
    let wanted = NAMES.iter().flat_map(|name| ["File", "Memory"].map(|mode| (*name, mode))).collect();
    if seen != wanted {
        bail!("the profiles are {seen:?}, not {wanted:?}");
    }
    Ok(())
}

/// The driver's provider is asked for every keyword but that of single datagrams, and each profile asks it.
fn provider(document: &Document<'_>) -> Result<()> {
    let guid = String::from_utf8_lossy(&trace::guid()).into_owned();
    let provider = elements(document, "EventProvider")
        .find(|node| node.attribute("Name").is_some_and(|name| name.eq_ignore_ascii_case(&guid)))
        .with_context(|| format!("no EventProvider is the driver's, {guid}"))?;
    ensure!(provider.attribute("NonPagedMemory") == Some("true"), "the driver writes at DISPATCH_LEVEL");
    let mut keywords = 0;
    for keyword in provider.descendants().filter(|node| node.has_tag_name("Keyword")) {
        let value = attribute(keyword, "Value")?;
        let digits = value.strip_prefix("0x").with_context(|| format!("keyword {value}"))?;
        keywords |= u64::from_str_radix(digits, 16).with_context(|| format!("keyword {value}"))?;
    }
    let wanted = trace::LIFECYCLE | trace::DROPS | trace::STALL;
    ensure!(keywords == wanted, "the keywords are {keywords:#x}, not {wanted:#x}");
    let id = attribute(provider, "Id")?;
    for profile in elements(document, "Profile").filter(|profile| profile.attribute("Base").is_none()) {
        let asks = profile
            .descendants()
            .any(|node| node.has_tag_name("EventProviderId") && node.attribute("Value") == Some(id));
        ensure!(asks, "{} does not record the driver's events", attribute(profile, "Name")?);
    }
    Ok(())
}
