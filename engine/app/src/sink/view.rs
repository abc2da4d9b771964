//! The live view on a terminal.

use std::io::{self, Stderr};
use std::time::Duration;

use ratatui::Frame;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Table};

use super::status_line::Budget;
use super::summary::LostBelow;
use crate::snapshot::{Pulse, ReaderAt, Snapshot};

/// A terminal that shows the sink, drawn on standard error: standard output is for data.
///
/// # Invariants
/// While one exists, the terminal is in raw mode and on its alternate screen; dropping it undoes both, also when a
/// thread panics, because the panic hook does so first.
pub(crate) struct View {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    notices: Vec<String>,
}

impl View {
    /// Takes over the terminal.
    ///
    /// # Errors
    /// The terminal's.
    pub(crate) fn open() -> io::Result<Self> {
        enable_raw_mode()?;
        let opened = execute!(io::stderr(), EnterAlternateScreen)
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stderr())));
        match opened {
            Ok(terminal) => {
                let hook = std::panic::take_hook();
                std::panic::set_hook(Box::new(move |panic| {
                    restore();
                    hook(panic);
                }));
                Ok(Self { terminal, notices: Vec::new() })
            }
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Draws one moment.
    ///
    /// # Errors
    /// The terminal's.
    pub(crate) fn draw(&mut self, now: &Snapshot, pulse: &Pulse) -> io::Result<()> {
        let notices = &self.notices;
        self.terminal.draw(|frame| draw(frame, now, pulse, notices)).map(|_| ())
    }

    /// Adds a line that stays in view, and is printed again when the view closes.
    pub(crate) fn notice(&mut self, line: String) {
        self.notices.push(line);
    }

    /// Waits for a key, at most `span`, and says whether it asks for the end: q, Esc or Ctrl-C.
    ///
    /// # Errors
    /// The terminal's.
    pub(crate) fn wait_for_end(&mut self, span: Duration) -> io::Result<bool> {
        if !event::poll(span)? {
            return Ok(false);
        }
        Ok(matches!(event::read()?, Event::Key(key) if key.kind == KeyEventKind::Press && asks_for_end(key)))
    }
}

impl Drop for View {
    fn drop(&mut self) {
        restore();
        for notice in &self.notices {
            eprintln!("skua: {notice}");
        }
    }
}

fn restore() {
    // There is nothing to do about a terminal that does not take this either.
    let _ = disable_raw_mode();
    let _ = execute!(io::stderr(), LeaveAlternateScreen);
}

fn asks_for_end(key: KeyEvent) -> bool {
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

fn draw(frame: &mut Frame<'_>, now: &Snapshot, pulse: &Pulse, notices: &[String]) {
    let notice_lines = u16::try_from(notices.len()).unwrap_or(u16::MAX).min(4);
    // Six or seven lines in a frame; on 24 rows every reason is still in view.
    let total_lines = if now.verdict.is_some() { 9 } else { 8 };
    let rows = [Constraint::Length(total_lines), Constraint::Min(3), Constraint::Length(notice_lines + 1)];
    let [totals, middle, bottom] = Layout::vertical(rows).areas(frame.area());
    let [reasons, sources] = Layout::horizontal([Constraint::Length(28), Constraint::Min(20)]).areas(middle);
    draw_totals(frame, totals, now, pulse);
    draw_reasons(frame, reasons, now);
    draw_sources(frame, sources, now);
    let mut lines: Vec<Line<'_>> = notices
        .iter()
        .rev()
        .take(usize::from(notice_lines))
        .map(|notice| Line::from(notice.as_str()))
        .collect();
    lines.push(Line::from(match now.reader {
        ReaderAt::Here => "q: stop, drain, flush, totals",
        _ => "q: end this view; the sink goes on",
    }));
    frame.render_widget(Paragraph::new(lines), bottom);
}

fn draw_totals(frame: &mut Frame<'_>, area: Rect, now: &Snapshot, pulse: &Pulse) {
    let sockets: Vec<String> = now.sockets.iter().map(ToString::to_string).collect();
    let title = format!(" skua sink {} · {:.0} s ", sockets.join(" "), now.at.as_secs_f64());
    let waiting = now.published.saturating_sub(now.read);
    let mut lines = vec![
        format!("rate          {:>14.0} /s {:>14.3} MB/s", pulse.rate, pulse.byte_rate / 1e6),
        format!("indicated     {:>14}", now.indicated),
        format!("delivered     {:>14} {:>17} bytes", now.delivered, now.bytes),
        match now.reader {
            ReaderAt::Here => format!("written       {:>14} {waiting:>17} in the rings", now.written),
            other => format!("published     {:>14} {:>17}{}", now.published, "", other.in_words()),
        },
        format!(
            "dropped       {:>14} {:>17} lost below us",
            now.dropped(),
            LostBelow(now.lost_below).to_string()
        ),
        format!(
            "stall budget  {:>14} {:>17} at the least",
            Budget(pulse.stall_budget).to_string(),
            Budget(pulse.least_stall_budget).to_string()
        ),
    ];
    lines.extend(now.verdict.map(|verdict| format!("verify        {verdict}")));
    let text: Vec<Line<'_>> = lines.into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(text).block(Block::bordered().title(title)), area);
}

fn draw_reasons(frame: &mut Frame<'_>, area: Rect, now: &Snapshot) {
    let rows = now.by_reason().map(|(reason, count)| {
        let style = if count > 0 { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
        Row::new([reason.key().to_owned(), format!("{count:>10}")]).style(style)
    });
    let table = Table::new(rows, [Constraint::Length(14), Constraint::Min(10)]);
    frame.render_widget(table.block(Block::bordered().title(" dropped by reason ")), area);
}

fn draw_sources(frame: &mut Frame<'_>, area: Rect, now: &Snapshot) {
    let rows = now.top.iter().map(|source| {
        Row::new([
            source.address.to_string(),
            format!("{:>11}", source.datagrams),
            format!("{:>13}", source.bytes),
            format!("{:>7}", source.refused),
        ])
    });
    let header = Row::new(["source", "  datagrams", "        bytes", "refused"]);
    let widths = [Constraint::Min(15), Constraint::Length(11), Constraint::Length(13), Constraint::Length(7)];
    let title = format!(" {} sources, {} datagrams from others ", now.sources, now.other);
    frame.render_widget(Table::new(rows, widths).header(header).block(Block::bordered().title(title)), area);
}

#[cfg(test)]
mod tests {
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::snapshot::Source;

    fn screen(width: u16, height: u16, notices: &[String]) -> String {
        let mut now = Snapshot {
            at: Duration::from_secs(12),
            sockets: vec!["127.0.0.1:9125".parse().unwrap()],
            indicated: 4711,
            lost_below: Some(17),
            top: vec![Source {
                address: "192.0.2.9".parse().unwrap(),
                datagrams: 99,
                bytes: 990,
                refused: 0,
            }],
            ..Snapshot::default()
        };
        now.drops[6] = 21;
        let pulse = Pulse { stall_budget: Some(Duration::from_millis(41)), ..Pulse::default() };
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &now, &pulse, notices)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn the_view_shows_what_an_operator_asks_for() {
        let screen = screen(100, 30, &["a.pcapng: full".to_owned()]);
        for wanted in [
            "127.0.0.1:9125",
            "4711",
            "17 lost below us",
            "41 ms",
            "ring_full",
            "21",
            "192.0.2.9",
            "a.pcapng",
        ] {
            assert!(screen.contains(wanted), "{wanted} is not in\n{screen}");
        }
    }

    #[test]
    fn eighty_columns_and_twenty_four_rows_show_every_reason() {
        let screen = screen(80, 24, &[]);
        for reason in skua_engine::DropReason::ALL {
            assert!(screen.contains(reason.key()), "{} is not in\n{screen}", reason.key());
        }
    }

    #[test]
    fn a_terminal_of_any_size_will_do() {
        for (width, height) in [(1, 1), (20, 5), (40, 10), (300, 100)] {
            screen(width, height, &[]);
        }
    }

    #[test]
    fn the_usual_keys_end_it() {
        let key = |code, modifiers| KeyEvent::new(code, modifiers);
        assert!(asks_for_end(key(KeyCode::Char('q'), KeyModifiers::NONE)));
        assert!(asks_for_end(key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(!asks_for_end(key(KeyCode::Char('c'), KeyModifiers::NONE)));
    }
}
