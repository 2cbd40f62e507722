//! Bodies encrypted with a key that all members share. Tomcat: `EncryptInterceptor`.
//!
//! An encrypted body is an IV, another one for each message, and the ciphertext of the time of sending and the body. The
//! rest of the message (options, id, sender) is neither secret nor protected, nor is what enters the chain below this
//! layer. Everything is encrypted and everything is expected to be: there is no flag.
//!
//! Invariant: with [`Algorithm::AesGcm`] nothing goes up that was not sealed with one of the keys, and with a time
//! stamp inside nothing goes up twice.

mod algorithm;
mod cipher;
mod config;
mod gcm;
mod generation;
mod health;
mod iv;
mod key;
mod nonces;
mod opened;
mod replay;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use bytes::{Buf, Bytes, BytesMut};

pub use algorithm::{Algorithm, AlgorithmError};
pub use config::EncryptConfig;
pub use generation::{Generation, GenerationError};
pub use key::{Key, KeyError, KeyRing};

use self::algorithm::IV_LEN_MAX;
use self::cipher::Cipher;
use self::health::Health;
use self::iv::Ivs;
use self::opened::Buffer;
use self::replay::{Refused, Window};
use super::body::Making;
use super::{Above, Arrival, Below, Body, Context, Flow, Interceptor, Parcel, Refusal, Rejection, Warning};
use crate::Now;
use crate::wire::Ack;

/// The time stamp in front of the body: milliseconds since 1970, big-endian.
const TIMESTAMP_LEN: usize = 8;

/// Settings that cannot work. The configuration is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptError {
    /// There is nothing to encrypt with.
    #[error("encryptionKey is missing")]
    NoKey,
    /// Tomcat starts with such a key, and then cannot send.
    #[error("a key of {length} bytes does not fit {algorithm}, which has keys of {} bytes", lengths(*.algorithm))]
    KeyLength {
        /// The algorithm.
        algorithm: Algorithm,
        /// Of the key.
        length: usize,
    },
    /// Which of them new keys are for cannot be told.
    #[error("keys are changed in a chain with one layer that encrypts; this one has {count}")]
    Layers {
        /// How many there are.
        count: usize,
    },
}

fn lengths(algorithm: Algorithm) -> String {
    algorithm.key_lengths().iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

/// The keys of a ring, ready for use; the first is the one to send with.
#[derive(Debug)]
struct Ciphers(Vec<Cipher>);

impl Ciphers {
    fn new(algorithm: Algorithm, ring: &KeyRing) -> Result<Ciphers, EncryptError> {
        let sending = ring.sending.as_ref().ok_or(EncryptError::NoKey)?;
        let wrong = |key: &Key| EncryptError::KeyLength { algorithm, length: key.len() };
        let cipher = |key: &Key| Cipher::new(algorithm, key).ok_or_else(|| wrong(key));
        std::iter::once(sending).chain(&ring.accepted).map(cipher).collect::<Result<_, _>>().map(Ciphers)
    }

    fn sending(&self) -> &Cipher {
        &self.0[0]
    }
}

/// The layer.
pub struct Encrypt {
    algorithm: Algorithm,
    has_timestamp: bool,
    replay_window: (i64, usize),
    ciphers: RwLock<Ciphers>,
    ivs: Ivs,
    /// From the first received message on: the clock and the secret come with it.
    window: Mutex<Option<Window>>,
    health: Mutex<Health>,
    buffer: Mutex<Buffer>,
    sealed: AtomicU64,
    sealed_with_key: AtomicU64,
    opened: AtomicU64,
    opened_with_accepted: AtomicU64,
}

impl fmt::Debug for Encrypt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encrypt")
            .field("algorithm", &self.algorithm)
            .field("has_timestamp", &self.has_timestamp)
            .finish_non_exhaustive()
    }
}

impl Encrypt {
    /// Encrypts as configured; what is weak about it comes as warnings.
    ///
    /// Differs from Tomcat: the length of a key is checked here; there every send fails.
    /// Test: a_key_of_a_wrong_length_is_refused_at_once.
    ///
    /// # Errors
    /// There is no key, or one of them does not fit the algorithm.
    pub fn new(config: &EncryptConfig) -> Result<(Encrypt, Vec<Warning>), EncryptError> {
        let algorithm = config.algorithm();
        let width = i64::try_from(config.replay_window_time.as_millis()).unwrap_or(i64::MAX);
        let encrypt = Encrypt {
            algorithm,
            has_timestamp: config.generation.has_timestamp(),
            replay_window: (width.max(1), config.replay_window_message_count.max(1)),
            ivs: Ivs::default(),
            ciphers: RwLock::new(Ciphers::new(algorithm, &config.keys)?),
            window: Mutex::default(),
            health: Mutex::default(),
            buffer: Mutex::default(),
            sealed: AtomicU64::default(),
            sealed_with_key: AtomicU64::default(),
            opened: AtomicU64::default(),
            opened_with_accepted: AtomicU64::default(),
        };
        let warnings = encrypt.warnings();
        Ok((encrypt, warnings))
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let algorithm = self.algorithm;
        if !algorithm.is_authenticated() {
            let text = format!(
                "encrypt: with {algorithm} anybody can change messages on their way, also their time stamps, so that \
                 old ones can be sent again; use AES/GCM/NoPadding on all members"
            );
            warnings.push(Warning { text });
        }
        if !self.has_timestamp {
            let text = "encrypt: in the format of Tomcats before 10.1.56, 9.0.119 and 11.0.23 anybody can send old \
                        messages again; update them, and then this setting";
            warnings.push(Warning { text: text.to_owned() });
        }
        if algorithm == Algorithm::DesEdeCbc {
            let text = "encrypt: blocks of DESede are short, so that contents leak after some gigabytes";
            warnings.push(Warning { text: text.to_owned() });
        }
        warnings
    }

    /// From now on send with another key, and accept others. Messages of keys that are left out are no longer read.
    ///
    /// # Errors
    /// There is no key to send with, or one of them does not fit the algorithm; then nothing was changed.
    pub fn set_keys(&self, ring: &KeyRing) -> Result<(), EncryptError> {
        let ciphers = Ciphers::new(self.algorithm, ring)?;
        *self.ciphers.write().unwrap_or_else(PoisonError::into_inner) = ciphers;
        self.sealed_with_key.store(0, Relaxed);
        lock(&self.health).key_changed();
        Ok(())
    }

    fn ciphers(&self) -> RwLockReadGuard<'_, Ciphers> {
        self.ciphers.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work with the window, which begins at the first message.
    fn with_window<T>(&self, cx: &mut Context<'_>, work: impl FnOnce(&mut Window) -> T) -> T {
        let mut window = lock(&self.window);
        let window = window.get_or_insert_with(|| {
            let mut secret = [0; 8];
            (cx.random)(&mut secret);
            let (width, count_max) = self.replay_window;
            let is_sealed = self.algorithm.is_authenticated();
            Window::new(width, count_max, is_sealed, cx.now.wall_ms(), u64::from_le_bytes(secret))
        });
        work(window)
    }

    /// The plaintext, and whether it was the key that this node sends with.
    fn open(&self, cx: &mut Context<'_>, message: &Bytes) -> Option<(BytesMut, bool)> {
        let ciphers = self.ciphers();
        let copy = || lock(&self.buffer).copy(message);
        let mut opened =
            ciphers.0.iter().enumerate().filter_map(|(index, cipher)| Some((cipher.open(copy())?, index == 0)));
        if self.algorithm.is_authenticated() || ciphers.0.len() == 1 {
            return opened.next();
        }
        // A wrong key gives some bytes, one time in 256: they are told by their time stamp. Where there is none, a
        // message that more than one key opens cannot be told.
        if self.has_timestamp {
            let now = cx.now.wall_ms();
            let mut plausible = |plain: &[u8]| {
                timestamp(plain).is_some_and(|time| self.with_window(cx, |window| window.covers(now, time)).is_ok())
            };
            return opened.find(|(plain, _)| plausible(plain));
        }
        opened.next().filter(|_| opened.next().is_none())
    }

    /// An error: the kind of the rejection, and what the sender is told.
    fn admit(&self, cx: &mut Context<'_>, plain: &[u8], iv: &[u8]) -> Result<(), (&'static str, Ack)> {
        let time = timestamp(plain).ok_or(("too_short", Ack::Ok))?;
        let now = cx.now.wall_ms();
        let mut nonce = [0; IV_LEN_MAX];
        nonce[..iv.len()].copy_from_slice(iv);
        let nonce = u128::from_le_bytes(nonce);
        let Err(refused) = self.with_window(cx, |window| window.admit(now, time, nonce)) else { return Ok(()) };
        if self.algorithm.is_authenticated() {
            lock(&self.health).refused(refused, now, time);
        }
        Err(match refused {
            Refused::TooLate => ("too_late", Ack::Ok),
            Refused::TooEarly => ("too_early", Ack::Ok),
            Refused::Forgotten => ("forgotten", Ack::Ok),
            Refused::Replayed => ("replayed", Ack::Failed),
        })
    }
}

fn timestamp(plain: &[u8]) -> Option<i64> {
    plain.first_chunk().map(|bytes: &[u8; TIMESTAMP_LEN]| i64::from_be_bytes(*bytes))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Interceptor for Encrypt {
    fn name(&self) -> &'static str {
        EncryptConfig::NAME
    }

    fn outbound(&self, cx: &mut Context<'_>, parcel: &mut Parcel, _: &mut Below<'_>) -> Result<Flow, Refusal> {
        let ciphers = self.ciphers();
        let cipher = ciphers.sending();
        let draft = &mut parcel.draft;
        // Before memory is written that is in no cache yet: taking a lock waits for that.
        let iv = self.ivs.next(cx, self.algorithm);
        let mut message = Making::new(cipher.sealed_len_max(TIMESTAMP_LEN + draft.body.len()));
        message.end().extend_from_slice(iv.as_ref());
        if self.has_timestamp {
            // As Tomcat: the message itself shows the same time.
            if draft.timestamp <= 0 {
                draft.timestamp = cx.now.wall_ms();
            }
            message.end().extend_from_slice(&draft.timestamp.to_be_bytes());
        }
        draft.body.copy_to(message.end());
        let refuse = || Refusal { interceptor: self.name(), reason: format!("too long for {}", self.algorithm) };
        cipher.seal(&mut message).ok_or_else(refuse)?;
        draft.body = Body::from(message);
        self.sealed.fetch_add(1, Relaxed);
        self.sealed_with_key.fetch_add(1, Relaxed);
        Ok(Flow::Pass)
    }

    /// Tomcat logs what it cannot read and drops it, so that the sender is told that all is well; only a body that is
    /// too short for the algorithm makes it throw.
    ///
    /// Differs from Tomcat: an authentic message that comes again fails. Copies of what was processed are recognised
    /// below the chain, so its sender tries again what a layer above or the listener failed, and there hears that all is
    /// well. Test: a_second_try_of_a_message_is_not_told_to_be_well.
    ///
    /// Without authentication every rejection is "unopened", whatever the cause: who can tell causes apart can read
    /// messages, by sending changed ones.
    fn inbound(&self, cx: &mut Context<'_>, arrival: &mut Arrival, _: &mut Above<'_>) -> Result<Flow, Rejection> {
        let is_authenticated = self.algorithm.is_authenticated();
        let reject = |kind, answer| Rejection { interceptor: self.name(), kind, answer };
        let message = &mut arrival.message;
        if message.body.len() < self.algorithm.sealed_len_min() {
            return Err(reject("unopened", Ack::Failed));
        }
        let (plain, is_sending) = self.open(cx, &message.body).ok_or_else(|| reject("unopened", Ack::Ok))?;
        if self.has_timestamp {
            let admitted = self.admit(cx, &plain, &message.body[..self.algorithm.iv_len()]);
            let told = |(kind, answer)| if is_authenticated { (kind, answer) } else { ("unopened", Ack::Ok) };
            admitted.map_err(told).map_err(|(kind, answer)| reject(kind, answer))?;
        }
        message.body = plain.freeze();
        if self.has_timestamp {
            message.body.advance(TIMESTAMP_LEN);
        }
        self.opened.fetch_add(1, Relaxed);
        if !is_sending {
            self.opened_with_accepted.fetch_add(1, Relaxed);
        }
        Ok(Flow::Pass)
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("sealed", self.sealed.load(Relaxed)),
            ("opened", self.opened.load(Relaxed)),
            ("opened_with_accepted_key", self.opened_with_accepted.load(Relaxed)),
        ]
    }

    fn report(&self, now: Now) -> Option<String> {
        lock(&self.health).report(now.mono, self.sealed_with_key.load(Relaxed))
    }
}
