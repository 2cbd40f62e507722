//! Algorithms, generations, attributes.

use super::*;

#[test]
fn every_name_of_an_algorithm_has_its_verdict() {
    let parse = |text: &str| text.parse::<Algorithm>();
    for (text, algorithm) in [
        ("AES/GCM/NoPadding", Algorithm::AesGcm),
        ("aes/gcm/nopadding", Algorithm::AesGcm),
        ("AES/CBC/PKCS5Padding", Algorithm::AesCbc),
        ("Aes/Cfb/Pkcs5Padding", Algorithm::AesCfb),
        ("AES/OFB/PKCS5PADDING", Algorithm::AesOfb),
        ("desede/cbc/pkcs5padding", Algorithm::DesEdeCbc),
    ] {
        assert_eq!(parse(text), Ok(algorithm), "{text}");
    }
    for text in ["", "AES", "AES/GCM", "AES/GCM/NoPadding/", " "] {
        assert_eq!(parse(text), Err(AlgorithmError::Form), "{text}");
    }
    for mode in ["NONE", "ECB", "PCBC", "CTS", "KW", "KWP", "CTR", "CFB8", "CFB128", "OFB8", "OFB128", "CCM", "ecb", ""]
    {
        for padding in ["NoPadding", "PKCS5Padding", "ISO10126Padding"] {
            let verdict = parse(&format!("AES/{mode}/{padding}"));
            assert_eq!(verdict, Err(AlgorithmError::Mode { mode: mode.to_owned() }), "{padding}");
        }
    }
    for (mode, padding, needed) in [
        ("CBC", "NoPadding", "PKCS5Padding"),
        ("CFB", "NoPadding", "PKCS5Padding"),
        ("OFB", "NoPadding", "PKCS5Padding"),
        ("CBC", "PKCS7Padding", "PKCS5Padding"),
        ("CBC", "ISO10126Padding", "PKCS5Padding"),
        ("GCM", "PKCS5Padding", "NoPadding"),
    ] {
        let error = AlgorithmError::Padding { mode: mode.to_owned(), padding: padding.to_owned(), needed };
        assert_eq!(parse(&format!("AES/{mode}/{padding}")), Err(error));
    }
    for text in ["Blowfish/CBC/PKCS5Padding", "RC2/CBC/PKCS5Padding", "DESede/CFB/PKCS5Padding", "XYZ/GCM/NoPadding"] {
        assert_eq!(parse(text), Err(AlgorithmError::Unknown { name: text.to_owned() }));
    }
}

#[test]
fn every_release_of_tomcat_has_its_format_and_its_algorithm() {
    let (bare, stamped, gcm) = ((false, Algorithm::AesCbc), (true, Algorithm::AesCbc), (true, Algorithm::AesGcm));
    for (format, releases) in [
        (bare, "8.5.38 8.5.100 9.0.14 9.0.70 9.0.118 10.0.0 10.0.27 10.1.0 10.1.0-M1 10.1.55 11.0.0-M4 11.0.22"),
        (stamped, "9.0.119 9.0.120 10.1.56 10.1.57 11.0.23 11.0.24"),
        (gcm, "9.0.121 10.1.58 10.1.60 11.0.25 12 12.0.0-M1 13.0.1 10.2.0 10.1.60-dev 10.1.60.0"),
    ] {
        for release in releases.split(' ') {
            let generation: Generation = release.parse().unwrap();
            assert_eq!((generation.has_timestamp(), generation.default_algorithm()), format, "{release}");
        }
    }
    assert_eq!(Generation::default(), "10.1.60".parse().unwrap());
    assert_eq!("9.0.13".parse::<Generation>(), Err(GenerationError::Chained));
    for release in ["9.0.12", "8.5.37", "8.0.53", "7.0.109", "6.0.0"] {
        assert_eq!(release.parse::<Generation>(), Err(GenerationError::TooOld), "{release}");
    }
    for text in ["", "10", "10.1", "9", "12.1", "current", "10.1.x", "-1.0.0", "10..5", "9999999999.0.0"] {
        assert_eq!(text.parse::<Generation>(), Err(GenerationError::Form), "{text}");
    }
}

#[test]
fn attributes_have_tomcats_names_and_defaults() {
    let mut config = EncryptConfig::default();
    assert_eq!(config.algorithm(), Algorithm::AesGcm);
    assert_eq!(config.replay_window_time.as_millis(), 10_000);
    // The generation decides unless an algorithm is named.
    config.set("generation", "10.1.57").unwrap();
    assert_eq!(config.algorithm(), Algorithm::AesCbc);
    config.set("encryptionAlgorithm", "aes/ofb/pkcs5padding").unwrap();
    assert_eq!(config.algorithm(), Algorithm::AesOfb);
    for (attribute, value) in [
        ("encryptionKeyString", KEY),
        ("acceptedKeys", &format!("{OTHER_KEY}, {KEY}")),
        ("providerName", "SunJCE"),
        ("replayWindowTime", "1"),
        ("replayWindowMessageCount", "1"),
        ("optionFlag", "3"),
    ] {
        config.set(attribute, value).unwrap();
    }
    assert_eq!(config.keys.sending, Some(KEY.parse().unwrap()));
    assert_eq!(config.keys.accepted, [OTHER_KEY.parse().unwrap(), KEY.parse().unwrap()]);
    assert_eq!((config.replay_window_time.as_millis(), config.replay_window_message_count), (1, 1));
    let before = config.clone();
    for (attribute, value) in [
        ("replayWindowTime", "0"),
        ("replayWindowMessageCount", "0"),
        ("encryptionAlgorithm", "AES"),
        ("generation", "9.0.13"),
        ("acceptedKeys", "00,0"),
        ("encryptionkey", KEY),
    ] {
        assert!(config.set(attribute, value).is_err(), "{attribute}={value}");
    }
    assert_eq!(config, before);
    config.set("acceptedKeys", "").unwrap();
    assert!(config.keys.accepted.is_empty());
}
