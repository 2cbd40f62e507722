//! TLS of a member that runs: from the command line to its channel, and new files when SIGHUP asks for them.

use anyhow::{Context, Result};
use clowder::{Channel, ChannelBuilder, TlsConfig};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::TlsArgs;

/// The channel with TLS, if the command line says so.
pub(crate) fn apply(args: &TlsArgs, builder: ChannelBuilder) -> ChannelBuilder {
    let (Some(certificate), Some(key), Some(ca)) = (&args.tls_cert, &args.tls_key, &args.tls_ca) else {
        return builder;
    };
    let mut config = TlsConfig::new(certificate, key, ca).require(args.tls_require).accepted_names(&args.tls_names);
    if let Some(secure) = &args.secure {
        config = config.listen(secure);
    }
    builder.tls(config)
}

/// Read the files again whenever SIGHUP comes, as long as the channel runs. Does nothing to one without TLS.
///
/// # Errors
/// The system does not allow to listen for the signal.
pub(crate) fn reload_on_hangup(channel: &Channel) -> Result<()> {
    let Some(secure) = channel.local().secure_addr() else { return Ok(()) };
    tracing::info!("TLS on {secure}");
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let channel = channel.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = channel.stopped() => return,
                came = hangup.recv() => if came.is_none() { return },
            }
            match channel.reload_tls() {
                Ok(()) => tracing::info!("SIGHUP: new connections use the TLS files as they are now"),
                Err(error) => tracing::error!("SIGHUP: the TLS files stay as they were: {error}"),
            }
        }
    });
    Ok(())
}
