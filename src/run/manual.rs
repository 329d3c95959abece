//! Completions and the manual page, made from the command line itself.

use clap::Command;

use super::console;
use super::status::{Failure, Status};

/// Prints completions for a shell.
pub fn completions(shell: clap_complete::Shell) -> Result<Status, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut super::command(), "trailhound", &mut text);
    console::answer(&String::from_utf8_lossy(&text))
}

/// Prints the manual page: the program first, then a section for each command.
pub fn page() -> Result<Status, Failure> {
    let mut root = super::command();
    root.build();
    let mut text = Vec::new();
    clap_mangen::Man::new(root.clone()).render(&mut text).map_err(|e| Failure::new(Status::Bug, e))?;
    let mut page = String::from_utf8_lossy(&text).into_owned();
    sections(&root, "", &mut page)?;
    console::answer(&page)
}

fn sections(command: &Command, above: &str, page: &mut String) -> Result<(), Failure> {
    for sub in command.get_subcommands().filter(|c| c.get_name() != "help") {
        let name = format!("{above}{}", sub.get_name());
        let man = clap_mangen::Man::new(sub.clone());
        let mut text = Vec::new();
        man.render_synopsis_section(&mut text)
            .and_then(|()| man.render_description_section(&mut text))
            .and_then(|()| man.render_options_section(&mut text))
            .map_err(|e| Failure::new(Status::Bug, e))?;
        // A page has one level of sections: those of a command become its subsections.
        let text = String::from_utf8_lossy(&text).replace(".SH ", ".SS ");
        page.push_str(&format!(".SH \"TRAILHOUND {}\"\n{text}", name.to_uppercase()));
        sections(sub, &format!("{name} "), page)?;
    }
    Ok(())
}
