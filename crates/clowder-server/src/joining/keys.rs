//! New keys for a channel that runs, from the file with its chain, when SIGHUP asks for them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clowder::Channel;
use clowder::chain::{ChainConfig, KeyRing, LayerConfig};
use tokio::signal::unix::{SignalKind, signal};

use super::file;

/// Read the keys of `encrypt` again whenever SIGHUP comes, as long as the channel runs; nothing else of the file. Does
/// nothing to a chain without encryption.
///
/// # Errors
/// The system does not allow to listen for the signal.
pub(super) fn reload_on_hangup(channel: &Channel, chain: &ChainConfig, path: &Path) -> Result<()> {
    if keys(chain).is_none() {
        return Ok(());
    }
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let (channel, path) = (channel.clone(), PathBuf::from(path));
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = channel.stopped() => return,
                came = hangup.recv() => if came.is_none() { return },
            }
            match reload(&channel, &path) {
                Ok(accepted) => tracing::info!("SIGHUP: new encryptionKey; {accepted} others are accepted"),
                Err(error) => tracing::error!("SIGHUP: the keys stay as they were: {error:#}"),
            }
        }
    });
    Ok(())
}

/// How many keys are accepted besides the one to send with.
fn reload(channel: &Channel, path: &Path) -> Result<usize> {
    let file = file::read(path)?;
    let keys = keys(&file.chain).with_context(|| format!("{} has no EncryptInterceptor", path.display()))?;
    channel.set_encryption_keys(keys)?;
    Ok(keys.accepted.len())
}

fn keys(chain: &ChainConfig) -> Option<&KeyRing> {
    chain.layers.iter().find_map(|layer| match layer {
        LayerConfig::Encrypt(config) => Some(&config.keys),
        _ => None,
    })
}
