// SPDX-License-Identifier: MIT

//! What the benchmark programs of the peers in Rust share: the command line, the line of JSON for each
//! outcome, pinning and percentiles. One program for each peer, one process for each run.

use std::process::exit;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What one run is to do.
#[derive(Clone, Copy)]
pub struct Order {
    pub strands: usize,
    pub quick: bool,
}

impl Order {
    /// `full` in a measurement, a hundredth of it in a quick run.
    pub fn count(&self, full: u64) -> u64 {
        if self.quick { full / 100 } else { full }
    }

    /// How long a workload goes on that has no count.
    pub fn period(&self) -> Duration {
        Duration::from_millis(if self.quick { 50 } else { 5000 })
    }
}

/// One measured figure.
pub struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    more_is_better: bool,
}

/// What a run measured.
#[derive(Default)]
pub struct Outcome {
    pub figures: Vec<Figure>,
    pub sent: u64,
    pub received: u64,
    pub note: &'static str,
}

impl Outcome {
    pub fn new(sent: u64, received: u64) -> Self {
        Outcome { sent, received, ..Outcome::default() }
    }

    pub fn rate(mut self, name: &'static str, unit: &'static str, count: u64, took: Duration) -> Self {
        let value = count as f64 / took.as_secs_f64();
        self.figures.push(Figure { name, value, unit, more_is_better: true });
        self
    }

    pub fn duration(mut self, name: &'static str, took: Duration) -> Self {
        self.figures.push(Figure { name, value: took.as_secs_f64(), unit: "s", more_is_better: false });
        self
    }

    pub fn bytes(mut self, name: &'static str, value: f64) -> Self {
        self.figures.push(Figure { name, value, unit: "B", more_is_better: false });
        self
    }

    /// Median and percentiles of durations in nanoseconds.
    pub fn percentiles(mut self, mut took: Vec<u32>) -> Self {
        for (name, part) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
            let at = (part * (took.len() - 1) as f64) as usize;
            let value = f64::from(*took.select_nth_unstable(at).1);
            self.figures.push(Figure { name, value, unit: "ns", more_is_better: false });
        }
        self
    }

    pub fn noted(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }
}

/// A workload, the numbers of worker threads with which it makes sense, and how many messages are in flight.
pub struct Workload(pub &'static str, pub &'static [usize], pub u64, pub fn(Order) -> Outcome);

/// Whose program this is.
pub struct Peer {
    pub name: &'static str,
    pub manifest: &'static str,
    pub settings: &'static str,
}

impl Peer {
    /// The version that Cargo.toml pins: what stands after `=` in the line of the crate.
    fn version(&self) -> &str {
        let is_own = |line: &&str| line.starts_with(self.name) && line[self.name.len()..].starts_with(" = ");
        let pinned = self.manifest.lines().find(is_own).and_then(|line| line.split("\"=").nth(1));
        pinned.and_then(|rest| rest.split('"').next()).unwrap_or("?")
    }
}

/// `list` prints what the program offers, `about` which peer it is, `run WORKLOAD PEER STRANDS [--quick]`
/// runs one and prints its outcome.
pub fn main(peer: &Peer, offered: &[Workload]) -> ! {
    let args: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    match words[..] {
        ["list"] => {
            for Workload(name, strands, ..) in offered {
                strands.iter().for_each(|count| println!("{name} {} {count}", peer.name));
            }
        }
        ["about"] => println!(
            r#"{{"peer": {{"name": "{}", "version": "{}", "language": "Rust", "settings": "{}"}}}}"#,
            peer.name,
            peer.version(),
            peer.settings
        ),
        ["run", name, by, strands] if by == peer.name => run(peer, offered, name, strands, false),
        ["run", name, by, strands, "--quick"] if by == peer.name => run(peer, offered, name, strands, true),
        _ => usage(peer),
    }
    exit(0)
}

fn usage(peer: &Peer) -> ! {
    eprintln!("usage: bench_{} list | about | run WORKLOAD {0} STRANDS [--quick]", peer.name);
    exit(2)
}

fn run(peer: &Peer, offered: &[Workload], name: &str, strands: &str, quick: bool) {
    let strands = strands.parse().unwrap_or(0);
    let wanted = offered.iter().find(|each| each.0 == name && each.1.contains(&strands));
    let Some(Workload(_, _, in_flight, run)) = wanted else { usage(peer) };
    if strands == 1 {
        pin_to(0); // and all threads that will be started from here
    }
    let Outcome { figures, sent, received, note } = run(Order { strands, quick });
    let figures: Vec<String> = figures
        .iter()
        .map(|Figure { name, value, unit, more_is_better }| {
            let better = if *more_is_better { "more" } else { "less" };
            format!(r#"{{"name": "{name}", "value": {value:.6}, "unit": "{unit}", "better": "{better}"}}"#)
        })
        .collect();
    let order = format!(r#""workload": "{name}", "peer": "{}", "strands": {strands}"#, peer.name);
    let shape = format!(r#""in_flight": {in_flight}, "message_bytes": 8"#);
    let counts = format!(r#""sent": {sent}, "received": {received}, "allocations": 0"#);
    let usage = format!(
        r#""cpu_seconds": {:.3}, "peak_rss_bytes": {}, "note": "{note}""#,
        cpu_seconds(),
        memory_field("VmHWM:")
    );
    println!(r#"{{{order}, {shape}, "figures": [{}], {counts}, {usage}}}"#, figures.join(", "));
    if sent != received {
        eprintln!("{sent} messages were sent and {received} received");
        exit(1);
    }
}

/// Seconds of processor time of this process, user and system.
fn cpu_seconds() -> f64 {
    let mut usage = unsafe { std::mem::zeroed::<libc::rusage>() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// A field of /proc/self/status in bytes.
fn memory_field(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = status.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes =
        field.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// What the process holds in memory now.
pub fn resident_bytes() -> u64 {
    memory_field("VmRSS:")
}

/// Binds the calling thread, and those it starts later, to one core.
pub fn pin_to(core: usize) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).max(core + 1);
    unsafe {
        let mut set = std::mem::zeroed::<libc::cpu_set_t>();
        libc::CPU_SET(core % cores, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
}

/// Nanoseconds since `began`.
pub fn nanoseconds(began: Instant) -> u32 {
    began.elapsed().as_nanos().try_into().unwrap_or(u32::MAX)
}

/// Becomes zero when all have arrived.
pub struct Countdown(AtomicU64);

impl Countdown {
    pub fn new(count: u64) -> Self {
        Countdown(AtomicU64::new(count))
    }

    /// Whether this was the last.
    pub fn arrive(&self) -> bool {
        self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }
}
