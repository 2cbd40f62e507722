//! Tomcat's environment variables, and what a cluster gives every pod.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Kubernetes;

const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Tomcat: the namespace if nothing says another one.
const NAMESPACE: &str = "tomcat";

/// The environment does not say how to reach the API server. The configuration is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// There is no API server.
    #[error(
        "{0} is not set: this is no pod of a Kubernetes cluster; run it in one, or set KUBERNETES_SERVICE_HOST and \
         KUBERNETES_SERVICE_PORT"
    )]
    NoServer(&'static str),
    /// Neither `http` nor `https`.
    #[error("KUBERNETES_MASTER_PROTOCOL is '{0}'; write https or http")]
    Protocol(String),
    /// A client certificate is of no use without its key. Tomcat: logged, and no members.
    #[error(
        "KUBERNETES_CLIENT_CERTIFICATE_FILE is set and KUBERNETES_CLIENT_KEY_FILE is not: a certificate needs its key"
    )]
    NoKey,
    /// The key is encrypted.
    #[error(
        "KUBERNETES_CLIENT_KEY_PASSWORD is set: encrypted keys cannot be read; give the plain one (openssl pkey -in KEY -out \
         PLAIN)"
    )]
    EncryptedKey,
}

/// Tomcat: `CloudMembershipProvider.getEnv`: of several names the first that is set counts.
pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Kubernetes, EnvironmentError> {
    let first = |names: &[&str]| names.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
    let required = |name, names: &[&str]| first(names).ok_or(EnvironmentError::NoServer(name));
    let protocol = first(&["OPENSHIFT_KUBE_PING_MASTER_PROTOCOL", "KUBERNETES_MASTER_PROTOCOL"]);
    let protocol = protocol.unwrap_or_else(|| "https".to_owned()).to_ascii_lowercase();
    if protocol != "https" && protocol != "http" {
        return Err(EnvironmentError::Protocol(protocol));
    }
    let host = required("KUBERNETES_SERVICE_HOST", &["OPENSHIFT_KUBE_PING_MASTER_HOST", "KUBERNETES_SERVICE_HOST"])?;
    let port = required("KUBERNETES_SERVICE_PORT", &["OPENSHIFT_KUBE_PING_MASTER_PORT", "KUBERNETES_SERVICE_PORT"])?;
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
    let version = first(&["OPENSHIFT_KUBE_PING_API_VERSION", "KUBERNETES_API_VERSION"]);
    if let Some(version) = version.filter(|version| version != "v1") {
        tracing::warn!(version, "KUBERNETES_API_VERSION is ignored: pods are in version v1 of the API");
    }
    let certificate = first(&["OPENSHIFT_KUBE_PING_CLIENT_CERT_FILE", "KUBERNETES_CLIENT_CERTIFICATE_FILE"]);
    let client_certificate = match (certificate, first(&["KUBERNETES_CLIENT_KEY_FILE"])) {
        (None, _) => None,
        (Some(_), None) => return Err(EnvironmentError::NoKey),
        (Some(_), Some(_)) if first(&["KUBERNETES_CLIENT_KEY_PASSWORD"]).is_some() => {
            return Err(EnvironmentError::EncryptedKey);
        }
        (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
    };
    let account = Path::new(ACCOUNT);
    let file = |names: &[&str], name| first(names).map_or_else(|| account.join(name), PathBuf::from);
    Ok(Kubernetes {
        server: format!("{protocol}://{host}:{port}"),
        namespace: first(&["OPENSHIFT_KUBE_PING_NAMESPACE", "KUBERNETES_NAMESPACE"])
            .or_else(|| own_namespace(&account.join("namespace")))
            .unwrap_or_else(|| {
                tracing::warn!("the namespace is not known, '{NAMESPACE}' is used: set KUBERNETES_NAMESPACE");
                NAMESPACE.to_owned()
            }),
        labels: first(&["OPENSHIFT_KUBE_PING_LABELS", "KUBERNETES_LABELS"]),
        token_file: file(&["OPENSHIFT_KUBE_PING_SA_TOKEN_FILE", "SA_TOKEN_FILE"], "token"),
        ca_file: file(&["OPENSHIFT_KUBE_PING_CA_CERT_FILE", "KUBERNETES_CA_CERTIFICATE_FILE"], "ca.crt"),
        client_certificate,
        require_ready: true,
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
    })
}

/// Differs from Tomcat: it does not look there, and takes `tomcat`. Test: the_namespace_is_the_pods_own_unless_it_is_named.
fn own_namespace(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Kubernetes, EnvironmentError> {
        let server = [("KUBERNETES_SERVICE_HOST", "10.96.0.1"), ("KUBERNETES_SERVICE_PORT", "443")];
        read(|name| {
            let of =
                |list: &[(&str, &str)]| list.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            of(variables).or_else(|| of(&server))
        })
    }

    #[test]
    fn a_pod_knows_its_cluster() {
        let found = with(&[]).unwrap();
        assert_eq!(found.server, "https://10.96.0.1:443");
        assert_eq!(found.token_file, Path::new("/var/run/secrets/kubernetes.io/serviceaccount/token"));
        assert_eq!(found.ca_file, Path::new("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"));
        assert_eq!((found.labels, found.client_certificate), (None, None));
    }

    #[test]
    fn of_two_names_of_a_variable_the_first_counts() {
        let both = |first: &'static str, second: &'static str| [(first, "first"), (second, "second")];
        let namespace = with(&both("OPENSHIFT_KUBE_PING_NAMESPACE", "KUBERNETES_NAMESPACE")).unwrap().namespace;
        let labels = with(&both("OPENSHIFT_KUBE_PING_LABELS", "KUBERNETES_LABELS")).unwrap().labels;
        let token = with(&both("OPENSHIFT_KUBE_PING_SA_TOKEN_FILE", "SA_TOKEN_FILE")).unwrap().token_file;
        let ca = with(&both("OPENSHIFT_KUBE_PING_CA_CERT_FILE", "KUBERNETES_CA_CERTIFICATE_FILE")).unwrap().ca_file;
        assert_eq!((namespace.as_str(), labels.as_deref()), ("first", Some("first")));
        assert_eq!((token, ca), (PathBuf::from("first"), PathBuf::from("first")));
        let server = with(&[
            ("OPENSHIFT_KUBE_PING_MASTER_HOST", "api"),
            ("OPENSHIFT_KUBE_PING_MASTER_PORT", "80"),
            ("OPENSHIFT_KUBE_PING_MASTER_PROTOCOL", "http"),
            ("KUBERNETES_MASTER_PROTOCOL", "https"),
        ]);
        assert_eq!(server.unwrap().server, "http://api:80");
        assert_eq!(with(&[("KUBERNETES_LABELS", "app=a")]).unwrap().labels.as_deref(), Some("app=a"));
    }

    #[test]
    fn an_ipv6_server_stands_in_brackets() {
        assert_eq!(with(&[("KUBERNETES_SERVICE_HOST", "fd00::1")]).unwrap().server, "https://[fd00::1]:443");
    }

    #[test]
    fn a_client_certificate_needs_its_plain_key() {
        let certificate = ("KUBERNETES_CLIENT_CERTIFICATE_FILE", "c.pem");
        let key = ("KUBERNETES_CLIENT_KEY_FILE", "k.pem");
        assert_eq!(with(&[certificate]), Err(EnvironmentError::NoKey));
        assert_eq!(
            with(&[certificate, key, ("KUBERNETES_CLIENT_KEY_PASSWORD", "secret")]),
            Err(EnvironmentError::EncryptedKey)
        );
        let found = with(&[certificate, key]).unwrap().client_certificate;
        assert_eq!(found, Some((PathBuf::from("c.pem"), PathBuf::from("k.pem"))));
    }

    #[test]
    fn outside_of_a_cluster_the_error_names_the_variable() {
        assert_eq!(read(|_| None), Err(EnvironmentError::NoServer("KUBERNETES_SERVICE_HOST")));
        let error = with(&[("KUBERNETES_MASTER_PROTOCOL", "ftp")]).unwrap_err();
        assert!(error.to_string().contains("'ftp'"), "{error}");
    }

    #[test]
    fn the_namespace_is_the_pods_own_unless_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("namespace");
        assert_eq!(own_namespace(&file), None);
        std::fs::write(&file, "shop\n").unwrap();
        assert_eq!(own_namespace(&file).as_deref(), Some("shop"));
        assert_eq!(with(&[("KUBERNETES_NAMESPACE", "named")]).unwrap().namespace, "named");
    }
}
