//! The configuration of a chain: its layers from the application to the wire, with Tomcat's names and defaults.

use std::sync::Arc;

use super::attribute::{AttributeError, parse_int, unknown};
use super::rules::{self, ChainError, Warning};
use super::{
    Chain, Control, CoordinatorLayer, DetectorLayer, DispatchConfig, Domain, DomainConfig, Encrypt, EncryptConfig,
    Fragment, FragmentConfig, Gzip, GzipConfig, Interceptor, Layer, Order, OrderConfig, PingLayer, StaticLayer,
    Throughput, ThroughputConfig, TwoPhase, TwoPhaseConfig,
};

/// One layer and its settings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LayerConfig {
    /// Asynchronous sending.
    Dispatch(DispatchConfig),
    /// Probes.
    Detector(DetectorLayer),
    /// Regular looks at members.
    Ping(PingLayer),
    /// Configured members.
    Static(StaticLayer),
    /// Only members and messages of one domain.
    Domain(DomainConfig),
    /// Large bodies in pieces.
    Fragment(FragmentConfig),
    /// Compression.
    Gzip(GzipConfig),
    /// The order of each sender.
    Order(OrderConfig),
    /// Delivery after all have it.
    TwoPhase(TwoPhaseConfig),
    /// Counters.
    Throughput(ThroughputConfig),
    /// Encryption.
    Encrypt(EncryptConfig),
    /// An elected coordinator.
    Coordinator(CoordinatorLayer),
    /// A coordinator by the order of members.
    SimpleCoordinator,
    /// One of the application's own.
    Custom(Arc<dyn Interceptor>),
}

/// Where Tomcat's interceptors are.
const PACKAGE: &str = "org.apache.catalina.tribes.group.interceptors.";
const SIMPLE_COORDINATOR: &str = "simple-coordinator";

impl LayerConfig {
    /// The layer with Tomcat's defaults, by its short name, or by the name of Tomcat's class, in full or its last part.
    pub fn named(name: &str) -> Option<LayerConfig> {
        Some(match name.strip_prefix(PACKAGE).unwrap_or(name) {
            "dispatch" | "MessageDispatchInterceptor" | "MessageDispatch15Interceptor" => {
                LayerConfig::Dispatch(DispatchConfig::default())
            }
            "failure-detector" | "TcpFailureDetector" => LayerConfig::Detector(DetectorLayer::default()),
            "ping" | "TcpPingInterceptor" => LayerConfig::Ping(PingLayer::default()),
            "static" | "StaticMembershipInterceptor" => LayerConfig::Static(StaticLayer::default()),
            "domain" | "DomainFilterInterceptor" => LayerConfig::Domain(DomainConfig::default()),
            "fragment" | "FragmentationInterceptor" => LayerConfig::Fragment(FragmentConfig::default()),
            "gzip" | "GzipInterceptor" => LayerConfig::Gzip(GzipConfig::default()),
            "order" | "OrderInterceptor" => LayerConfig::Order(OrderConfig::default()),
            "two-phase" | "TwoPhaseCommitInterceptor" => LayerConfig::TwoPhase(TwoPhaseConfig::default()),
            "throughput" | "ThroughputInterceptor" => LayerConfig::Throughput(ThroughputConfig::default()),
            "encrypt" | "EncryptInterceptor" => LayerConfig::Encrypt(EncryptConfig::default()),
            "coordinator" | "NonBlockingCoordinator" => LayerConfig::Coordinator(CoordinatorLayer::default()),
            "simple-coordinator" | "SimpleCoordinator" => LayerConfig::SimpleCoordinator,
            _ => return None,
        })
    }

    /// Its short name.
    pub fn name(&self) -> &'static str {
        match self {
            LayerConfig::Dispatch(_) => DispatchConfig::NAME,
            LayerConfig::Detector(_) => DetectorLayer::NAME,
            LayerConfig::Ping(_) => PingLayer::NAME,
            LayerConfig::Static(_) => StaticLayer::NAME,
            LayerConfig::Domain(_) => DomainConfig::NAME,
            LayerConfig::Fragment(_) => FragmentConfig::NAME,
            LayerConfig::Gzip(_) => GzipConfig::NAME,
            LayerConfig::Order(_) => OrderConfig::NAME,
            LayerConfig::TwoPhase(_) => TwoPhaseConfig::NAME,
            LayerConfig::Throughput(_) => ThroughputConfig::NAME,
            LayerConfig::Encrypt(_) => EncryptConfig::NAME,
            LayerConfig::Coordinator(_) => CoordinatorLayer::NAME,
            LayerConfig::SimpleCoordinator => SIMPLE_COORDINATOR,
            LayerConfig::Custom(interceptor) => interceptor.name(),
        }
    }

    /// Its option flag.
    pub fn option_flag(&self) -> i32 {
        match self {
            LayerConfig::Dispatch(config) => config.option_flag,
            LayerConfig::Detector(config) => config.option_flag,
            LayerConfig::Ping(config) => config.option_flag,
            LayerConfig::Static(config) => config.option_flag,
            LayerConfig::Domain(config) => config.option_flag,
            LayerConfig::Fragment(config) => config.option_flag,
            LayerConfig::Gzip(config) => config.option_flag,
            LayerConfig::Order(config) => config.option_flag,
            LayerConfig::TwoPhase(config) => config.option_flag,
            LayerConfig::Throughput(config) => config.option_flag,
            LayerConfig::Encrypt(config) => config.option_flag,
            LayerConfig::Coordinator(config) => config.option_flag,
            LayerConfig::SimpleCoordinator | LayerConfig::Custom(_) => 0,
        }
    }

    /// Set an attribute, by Tomcat's name and with Tomcat's unit.
    ///
    /// # Errors
    /// There is no such attribute, or it cannot have this value. Nothing was changed.
    pub fn set(&mut self, attribute: &str, value: &str) -> Result<(), AttributeError> {
        match self {
            LayerConfig::Dispatch(config) => config.set(attribute, value),
            LayerConfig::Detector(config) => config.set(attribute, value),
            LayerConfig::Ping(config) => config.set(attribute, value),
            LayerConfig::Static(config) => config.set(attribute, value),
            LayerConfig::Domain(config) => config.set(attribute, value),
            LayerConfig::Fragment(config) => config.set(attribute, value),
            LayerConfig::Gzip(config) => config.set(attribute, value),
            LayerConfig::Order(config) => config.set(attribute, value),
            LayerConfig::TwoPhase(config) => config.set(attribute, value),
            LayerConfig::Throughput(config) => config.set(attribute, value),
            LayerConfig::Encrypt(config) => config.set(attribute, value),
            LayerConfig::Coordinator(config) => config.set(attribute, value),
            // It looks at no option.
            LayerConfig::SimpleCoordinator if attribute == "optionFlag" => {
                parse_int::<i32>(SIMPLE_COORDINATOR, attribute, value).map(|_| ())
            }
            LayerConfig::SimpleCoordinator => Err(unknown(SIMPLE_COORDINATOR, attribute, &["optionFlag"])),
            LayerConfig::Custom(interceptor) => Err(unknown(interceptor.name(), attribute, &[])),
        }
    }

    fn build(&self, warnings: &mut Vec<Warning>) -> Result<Layer, ChainError> {
        let interceptor: Arc<dyn Interceptor> = match self {
            LayerConfig::Dispatch(_) => return Ok(Layer::Control(Control::Dispatch)),
            LayerConfig::Detector(_) => return Ok(Layer::Control(Control::Detector)),
            LayerConfig::Ping(_) => return Ok(Layer::Control(Control::Ping)),
            LayerConfig::Static(_) => return Ok(Layer::Control(Control::Static)),
            LayerConfig::Coordinator(_) | LayerConfig::SimpleCoordinator => {
                return Ok(Layer::Control(Control::Coordinator));
            }
            LayerConfig::Domain(config) => Arc::new(Domain::new(config)),
            LayerConfig::Custom(interceptor) => interceptor.clone(),
            LayerConfig::Fragment(config) => Arc::new(Fragment::new(config.clone())),
            LayerConfig::Order(config) => Arc::new(Order::new(config.clone())),
            LayerConfig::Gzip(config) => Arc::new(Gzip::new(config)),
            LayerConfig::TwoPhase(config) => Arc::new(TwoPhase::new(config.clone())),
            LayerConfig::Throughput(config) => Arc::new(Throughput::new(config.clone())),
            LayerConfig::Encrypt(config) => {
                let (encrypt, weak) = Encrypt::new(config)?;
                warnings.extend(weak);
                Arc::new(encrypt)
            }
        };
        Ok(Layer::Interceptor(interceptor))
    }
}

/// A chain as configured.
#[derive(Clone, Debug, Default)]
pub struct ChainConfig {
    /// From the application to the wire.
    pub layers: Vec<LayerConfig>,
    /// Refuse layers whose option flags contain one another. Tomcat: the channel's `optionCheck`. Default false.
    pub option_check: bool,
}

impl ChainConfig {
    /// The chain, and what is doubtful about it.
    ///
    /// # Errors
    /// A chain of these layers cannot work.
    pub fn build(&self) -> Result<(Chain, Vec<Warning>), ChainError> {
        let mut warnings = rules::check(self)?;
        let layers: Result<Vec<Layer>, ChainError> =
            self.layers.iter().map(|layer| layer.build(&mut warnings)).collect();
        Ok((Chain::new(layers?), warnings))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NAMES: [(&str, &str); 13] = [
        ("dispatch", "MessageDispatchInterceptor"),
        ("failure-detector", "TcpFailureDetector"),
        ("ping", "TcpPingInterceptor"),
        ("static", "StaticMembershipInterceptor"),
        ("domain", "DomainFilterInterceptor"),
        ("fragment", "FragmentationInterceptor"),
        ("gzip", "GzipInterceptor"),
        ("order", "OrderInterceptor"),
        ("two-phase", "TwoPhaseCommitInterceptor"),
        ("throughput", "ThroughputInterceptor"),
        ("encrypt", "EncryptInterceptor"),
        ("coordinator", "NonBlockingCoordinator"),
        ("simple-coordinator", "SimpleCoordinator"),
    ];

    #[test]
    fn a_layer_has_a_short_name_and_that_of_tomcats_class() {
        for (short, class) in NAMES {
            for name in [short, class, &format!("{PACKAGE}{class}")] {
                assert_eq!(LayerConfig::named(name).map(|layer| layer.name()), Some(short), "{name}");
            }
        }
        let old = LayerConfig::named("MessageDispatch15Interceptor").map(|layer| layer.name());
        assert_eq!(old, Some("dispatch"));
        for foreign in ["com.example.GzipInterceptor", "gzipinterceptor", ""] {
            assert!(LayerConfig::named(foreign).is_none(), "{foreign}");
        }
    }

    #[test]
    fn every_known_attribute_can_be_set_and_no_other() {
        for (short, _) in NAMES {
            let mut layer = LayerConfig::named(short).unwrap();
            let Err(AttributeError::Unknown { known, .. }) = layer.set("bogus", "1") else { panic!("{short}") };
            for attribute in known {
                let result = layer.set(attribute, "\u{20ac}");
                assert!(!matches!(result, Err(AttributeError::Unknown { .. })), "{short}: {attribute}");
            }
        }
    }

    #[test]
    fn attributes_have_tomcats_units() {
        let set = |name: &str, attribute, value| {
            let mut layer = LayerConfig::named(name).unwrap();
            layer.set(attribute, value).unwrap();
            layer
        };
        let layer = set("failure-detector", "removeSuspectsTimeout", "20");
        assert!(matches!(layer, LayerConfig::Detector(it) if it.remove_suspects_timeout == Duration::from_secs(20)));
        let layer = set("failure-detector", "removeSuspectsTimeout", "-1");
        assert!(matches!(layer, LayerConfig::Detector(it) if it.remove_suspects_timeout.is_zero()));
        let layer = set("failure-detector", "connectTimeout", "20");
        assert!(matches!(layer, LayerConfig::Detector(it) if it.connect_timeout == Duration::from_millis(20)));
        let layer = set("order", "expire", "20");
        assert!(matches!(layer, LayerConfig::Order(it) if it.expire == Duration::from_millis(20)));
        let layer = set("throughput", "interval", "20");
        assert!(matches!(layer, LayerConfig::Throughput(it) if it.interval == 20));
        let layer = set("domain", "domain", "{115,-128}");
        assert!(matches!(layer, LayerConfig::Domain(it) if it.domain[..] == [115, 128]));
        assert_eq!(set("simple-coordinator", "optionFlag", "5").option_flag(), 0);
    }

    #[test]
    fn option_flags_default_to_tomcats() {
        let flags: Vec<i32> = NAMES.iter().map(|(short, _)| LayerConfig::named(short).unwrap().option_flag()).collect();
        assert_eq!(flags, [8, 0, 0, 0, 0, 0, 256, 0, 0, 0, 0, 0, 0]);
    }
}
