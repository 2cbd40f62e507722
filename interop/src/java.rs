//! The Java peer: finding Java and Tomcat's jars, compiling once, command lines.
//!
//! Compiled classes go into a jar beside the test binaries, under a name that contains a hash of all sources, so
//! a changed source compiles anew and everything else finds the result ready. One test process compiles while
//! the others wait for its lock.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Which Tomcat to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generation {
    /// 10.1: `jakarta.servlet`.
    Tomcat10,
    /// 9.0: `javax.servlet`.
    Tomcat9,
}

impl Generation {
    fn name(self) -> &'static str {
        match self {
            Self::Tomcat10 => "tomcat10",
            Self::Tomcat9 => "tomcat9",
        }
    }

    /// Jars that an embedded Tomcat with a cluster needs; few, because each costs start time.
    fn jars(self) -> Result<Vec<PathBuf>> {
        let directory = PathBuf::from(std::env::var_os("INTEROP_JARS").unwrap_or_else(|| "/usr/share/java".into()));
        let parts = [
            "catalina",
            "catalina-ha",
            "tribes",
            "juli",
            "util",
            "util-scan",
            "coyote",
            "servlet-api",
            "annotations-api",
            "jaspic-api",
            "jni",
            "el-api",
            "jsp-api",
            "api",
        ];
        let jars = parts.map(|part| directory.join(format!("{}-{part}.jar", self.name())));
        match jars.iter().find(|jar| !jar.exists()) {
            Some(missing) => bail!("{} is missing: apt-get install lib{}-java", missing.display(), self.name()),
            None => Ok(jars.to_vec()),
        }
    }
}

/// Whether the cases can run here; says what is missing otherwise.
pub fn available() -> Result<()> {
    for tool in ["java", "javac", "jar"] {
        let found = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        ensure!(
            found.is_ok_and(|status| status.success()),
            "{tool} is missing: apt-get install openjdk-17-jdk-headless"
        );
    }
    for generation in [Generation::Tomcat10, Generation::Tomcat9] {
        generation.jars()?;
    }
    Ok(())
}

/// A compiled peer, ready to run.
#[derive(Debug, Clone)]
pub struct Peer {
    class_path: String,
    archive: PathBuf,
}

impl Peer {
    /// Compiles the Java sources against the jars of `generation`, unless that has been done.
    pub fn compiled(generation: Generation) -> Result<Self> {
        let sources = sources()?;
        let jars = generation.jars()?;
        let mut hasher = DefaultHasher::new();
        (&sources, &jars).hash(&mut hasher);
        for jar in &jars {
            // Debian's names are links; an update of Tomcat changes their targets.
            fs::canonicalize(jar)?.hash(&mut hasher);
        }
        let home = cache()?.join(format!("{}-{:016x}", generation.name(), hasher.finish()));
        fs::create_dir_all(&home)?;
        let peer_jar = home.join("peer.jar");
        let paths = std::iter::once(&peer_jar).chain(&jars).map(|path| path.display().to_string());
        let peer = Self { class_path: paths.collect::<Vec<_>>().join(":"), archive: home.join("peer.jsa") };
        let lock = File::create(home.join("lock"))?;
        lock.lock()?;
        let done = home.join("done");
        if !done.exists() {
            compile(generation, &sources, &home, &peer_jar, &peer.class_path)?;
            peer.dump_archive()?;
            fs::write(done, "")?;
        }
        Ok(peer)
    }

    /// The command line of a small JVM that starts quickly, for tests.
    pub fn command(&self, main: &str) -> Command {
        self.quick_command(main, "128m")
    }

    /// The same with room for messages of 10 MB, of which a chain makes many copies.
    pub fn roomy_command(&self, main: &str) -> Command {
        self.quick_command(main, "384m")
    }

    fn quick_command(&self, main: &str, heap: &str) -> Command {
        let mut command = Command::new("java");
        command.arg(format!("-Xmx{heap}"));
        command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]);
        command.arg(format!("-XX:SharedArchiveFile={}", self.archive.display()));
        self.finish(command, main)
    }

    /// The command line of a JVM with all optimizations, for benchmarks.
    pub fn fast_command(&self, main: &str, heap: &str) -> Command {
        let mut command = Command::new("java");
        command.arg(format!("-Xmx{heap}"));
        self.finish(command, main)
    }

    fn finish(&self, mut command: Command, main: &str) -> Command {
        command.args(["-Djava.net.preferIPv4Stack=true", "-Djava.security.egd=file:/dev/./urandom"]);
        command.args(["-Duser.timezone=UTC", "-Duser.language=en", "-Duser.country=US"]);
        command.arg("-Djava.util.logging.SimpleFormatter.format=%4$s %2$s: %5$s%6$s%n");
        command.arg("-cp").arg(&self.class_path).arg(format!("clowder.interop.{main}"));
        command
    }

    /// Class data sharing of Tomcat's classes: halves the start time of every later JVM. Without it the peers
    /// only start slower, so a failure is no error.
    fn dump_archive(&self) -> Result<()> {
        let mut command = Command::new("java");
        command.arg("-XX:+UseSerialGC").arg(format!("-XX:ArchiveClassesAtExit={}", self.archive.display()));
        let mut command = self.finish(command, "TomcatNode");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        child.stdin.take().context("standard input is piped")?.write_all(b"stop\n")?;
        child.wait()?;
        Ok(())
    }
}

fn compile(
    generation: Generation,
    sources: &[(String, String)],
    home: &Path,
    jar: &Path,
    class_path: &str,
) -> Result<()> {
    let source_home = home.join("src");
    let classes = home.join("classes");
    fs::create_dir_all(&source_home)?;
    let mut command = Command::new("javac");
    command.args(["-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-proc:none", "-nowarn"]);
    command.args(["-cp", class_path]).arg("-d").arg(&classes);
    for (name, text) in sources {
        let path = source_home.join(name);
        let text = match generation {
            Generation::Tomcat10 => text.clone(),
            Generation::Tomcat9 => text.replace("jakarta.servlet", "javax.servlet"),
        };
        fs::write(&path, text)?;
        command.arg(path);
    }
    succeed(&mut command)?;
    succeed(Command::new("jar").arg("--create").arg("--file").arg(jar).arg("-C").arg(&classes).arg("."))
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    Ok(())
}

fn sources() -> Result<Vec<(String, String)>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("java");
    let mut sources = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "java") {
            let name = path.file_name().context("a directory entry has a name")?.to_string_lossy().into_owned();
            sources.push((name, fs::read_to_string(&path)?));
        }
    }
    sources.sort();
    Ok(sources)
}

/// A directory beside the test binaries (`target/<profile>/interop-java`), so `cargo clean` removes it.
fn cache() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let mut directory = exe.parent().context("an executable lies in a directory")?;
    if directory.ends_with("deps") {
        directory = directory.parent().context("deps lies in a directory")?;
    }
    let cache = directory.join("interop-java");
    fs::create_dir_all(&cache)?;
    Ok(cache)
}
