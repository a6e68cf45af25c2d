//! Machines in network namespaces of their own, whose lines to one another can be cut.
//!
//! Each has two lines: one to the other machines, and one to the people, who are in the
//! namespace of the test.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

/// Namespaces, joined by two bridges; gone when dropped.
#[derive(Debug)]
pub struct Islands {
    /// What the names begin with: names of lines have 15 letters at most.
    name: String,
    network: u8,
    count: usize,
}

/// The bridge of the machines, and that of the people.
const BRIDGES: [char; 2] = ['i', 'o'];

impl Islands {
    /// Makes so many.
    ///
    /// # Errors
    /// This machine does not allow it, in words.
    pub fn make(name: &str, count: usize) -> Result<Self, String> {
        // One process of tests has one of these at a time.
        let id = std::process::id();
        let network = (id % 200) as u8;
        let islands = Self { name: format!("{name}{}", id % 100_000), network, count };
        islands.build().map(|()| islands)
    }

    fn build(&self) -> Result<(), String> {
        for bridge in BRIDGES {
            let name = format!("{}{bridge}", self.name);
            ip(&["link", "add", &name, "type", "bridge"])?;
            ip(&["link", "set", &name, "up"])?;
        }
        let people = format!("{}/24", Ipv4Addr::new(10, 91, self.network, 1));
        ip(&["addr", "add", &people, "dev", &format!("{}o", self.name)])?;
        for number in 0..self.count {
            let space = self.namespace(number);
            ip(&["netns", "add", &space])?;
            ip(&["-n", &space, "link", "set", "lo", "up"])?;
            for (bridge, address) in
                BRIDGES.into_iter().zip([self.inner(number), self.outer(number)])
            {
                let (near, far) = (self.line(number, bridge), format!("eth{bridge}"));
                let veth = ["link", "add", &near, "type", "veth", "peer", "name", &far, "netns"];
                ip(&[&veth[..], &[&space]].concat())?;
                ip(&["link", "set", &near, "master", &format!("{}{bridge}", self.name), "up"])?;
                ip(&["-n", &space, "addr", "add", &format!("{address}/24"), "dev", &far])?;
                ip(&["-n", &space, "link", "set", &far, "up"])?;
            }
        }
        Ok(())
    }

    /// The namespace of a machine.
    pub fn namespace(&self, number: usize) -> String {
        format!("{}n{number}", self.name)
    }

    /// Where the other machines reach it.
    pub fn inner(&self, number: usize) -> IpAddr {
        Ipv4Addr::new(10, 90, self.network, 10 + number as u8).into()
    }

    /// Where people reach it.
    pub fn outer(&self, number: usize) -> IpAddr {
        Ipv4Addr::new(10, 91, self.network, 10 + number as u8).into()
    }

    /// Cuts a machine's line to the others, or joins it again.
    ///
    /// # Panics
    /// If the line is gone.
    pub fn cut(&self, number: usize, is_cut: bool) {
        let state = if is_cut { "down" } else { "up" };
        ip(&["link", "set", &self.line(number, 'i'), state]).expect("its line is there");
    }

    fn line(&self, number: usize, bridge: char) -> String {
        format!("{}{number}{bridge}", self.name)
    }
}

impl Drop for Islands {
    fn drop(&mut self) {
        // Lines go with their namespaces. What was not made cannot be removed.
        for number in 0..self.count {
            let _ = ip(&["netns", "del", &self.namespace(number)]);
        }
        for bridge in BRIDGES {
            let _ = ip(&["link", "del", &format!("{}{bridge}", self.name)]);
        }
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(words).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}
