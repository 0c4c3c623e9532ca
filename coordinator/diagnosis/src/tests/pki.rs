//! Certificates for the cases: made once, of every kind that a case names.

use std::{collections::BTreeMap, sync::LazyLock};

use parallax_model::bytes::Bytes;
use rcgen::{BasicConstraints, Certificate, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, SerialNumber, date_time_ymd};

use crate::Trust;

pub(super) const NAME: &str = "www.example.test";
/// The control name that the cases' agents would send.
pub(super) const CONTROL: &str = "qxvjzkwq.invalid";

/// Chains by name, and the anchor that makes the good ones good.
pub(super) struct Pki {
    chains: BTreeMap<&'static str, Vec<Bytes>>,
    pub(super) root: Bytes,
    pub(super) responder_key: Bytes,
}

pub(super) static PKI: LazyLock<Pki> = LazyLock::new(Pki::make);

impl Pki {
    pub(super) fn chain(&self, name: &str) -> Vec<Bytes> {
        self.chains.get(name).unwrap_or_else(|| panic!("no chain is called {name}")).clone()
    }

    pub(super) fn trust(&self) -> Trust {
        Trust::default().with(std::slice::from_ref(&self.root))
    }

    fn make() -> Self {
        let root = Authority::root("Lab Root");
        let inter = root.sub("Lab Intermediate", "2036-01-01");
        let old_inter = root.sub("Lab Old Intermediate", "2026-06-01");
        let unknown = Authority::root("Somebody Else Root");
        let inspection = Authority::root("Inspection CA");
        let leaf = |by: &Authority, names: &[&str]| by.leaf(names, "2026-01-01", "2027-01-01", &[]);
        let with = |leaf: Bytes, issuers: &[&Authority]| std::iter::once(leaf).chain(issuers.iter().map(|issuer| issuer.der())).collect::<Vec<Bytes>>();
        let aia = CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 5, 5, 7, 1, 1],
            // SEQUENCE { SEQUENCE { caIssuers, URI "http://ca.test/i" } }
            [&[0x30, 0x1e, 0x30, 0x1c, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02, 0x86, 0x10][..], &b"http://ca.test/i"[..]].concat(),
        );
        let must_staple = CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 24], vec![0x30, 0x03, 0x02, 0x01, 0x05]);
        // SEQUENCE { id-kp-clientAuth }
        let client_only = CustomExtension::from_oid_content(&[2, 5, 29, 37], vec![0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02]);
        let good = leaf(&inter, &[NAME]);
        let responder = Authority::root("Responder");
        let responder_leaf = responder.der();
        let sha256 = |der: &Bytes| {
            let (_, certificate) = <x509_parser::certificate::X509Certificate<'_> as x509_parser::prelude::FromDer<_>>::from_der(&der.0).unwrap();
            Bytes(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate.public_key().raw).as_ref().to_vec())
        };
        let portal = self_signed(&["portal.hotel.test"]);
        let chains = BTreeMap::from([
            ("good", with(good.clone(), &[&inter])),
            ("renewed", with(leaf(&inter, &[NAME]), &[&inter])),
            ("with-root", with(good.clone(), &[&inter, &root])),
            ("misordered", with(good.clone(), &[&root, &inter])),
            ("repeated", vec![good.clone(), good.clone(), inter.der()]),
            ("incomplete", vec![good]),
            ("incomplete-aia", vec![inter.leaf(&[NAME], "2026-01-01", "2027-01-01", &[aia])]),
            ("expired", with(inter.leaf(&[NAME], "2025-01-01", "2026-02-01", &[]), &[&inter])),
            ("future", with(inter.leaf(&[NAME], "2026-12-24", "2027-12-24", &[]), &[&inter])),
            ("old-intermediate", with(leaf(&old_inter, &[NAME]), &[&old_inter])),
            ("default", with(leaf(&inter, &["default.invalid"]), &[&inter])),
            ("sibling", with(leaf(&inter, &["static.example.test"]), &[&inter])),
            ("near", with(leaf(&inter, &["example.test", "*.www.example.test"]), &[&inter])),
            ("client-only", with(inter.leaf(&[NAME], "2026-01-01", "2027-01-01", &[client_only]), &[&inter])),
            ("ending", with(inter.leaf(&[NAME], "2026-08-28", "2026-11-26", &[]), &[&inter])),
            ("long-lived", with(inter.leaf(&[NAME], "2024-01-01", "2027-01-01", &[]), &[&inter])),
            ("authority", with(root.sub(NAME, "2036-01-01").der(), &[])),
            ("wildcard", with(leaf(&inter, &["*.example.test"]), &[&inter])),
            ("must-staple", with(inter.leaf(&[NAME], "2026-01-01", "2027-01-01", &[must_staple]), &[&inter])),
            ("untrusted", with(leaf(&unknown, &[NAME]), &[&unknown])),
            ("untrusted-leaf", vec![leaf(&unknown, &[NAME])]),
            ("self-signed", vec![self_signed(&[NAME])]),
            ("sinkhole", vec![self_signed(&["blocked.isp.test"])]),
            ("portal", vec![portal]),
            ("localhost", with(leaf(&inter, &["localhost"]), &[&inter])),
            ("inspected", with(leaf(&inspection, &[NAME]), &[&inspection])),
            ("inspected-control", with(leaf(&inspection, &[CONTROL]), &[&inspection])),
            ("inspected-responder", with(leaf(&inspection, &["responder.parallax.invalid"]), &[&inspection])),
            ("responder", vec![responder_leaf.clone()]),
        ]);
        Self { chains, root: root.der(), responder_key: sha256(&responder_leaf) }
    }
}

struct Authority {
    params: CertificateParams,
    key: KeyPair,
    certificate: Certificate,
}

impl Authority {
    fn root(name: &str) -> Self {
        let params = authority_params(name, "2036-01-01");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { params, key, certificate }
    }

    fn sub(&self, name: &str, until: &str) -> Self {
        let params = authority_params(name, until);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer()).unwrap();
        Self { params, key, certificate }
    }

    fn leaf(&self, names: &[&str], from: &str, until: &str, extensions: &[CustomExtension]) -> Bytes {
        let mut params = leaf_params(names, from, until);
        params.custom_extensions = extensions.to_vec();
        let key = KeyPair::generate().unwrap();
        Bytes(params.signed_by(&key, &self.issuer()).unwrap().der().to_vec())
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }

    fn der(&self) -> Bytes {
        Bytes(self.certificate.der().to_vec())
    }
}

fn self_signed(names: &[&str]) -> Bytes {
    let key = KeyPair::generate().unwrap();
    let mut params = leaf_params(names, "2026-01-01", "2027-01-01");
    params.distinguished_name.push(DnType::CommonName, names[0]);
    Bytes(params.self_signed(&key).unwrap().der().to_vec())
}

fn authority_params(name: &str, until: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (year, month, day) = parts("2024-01-01");
    params.not_before = date_time_ymd(year, month, day);
    let (year, month, day) = parts(until);
    params.not_after = date_time_ymd(year, month, day);
    params
}

fn leaf_params(names: &[&str], from: &str, until: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.serial_number = Some(SerialNumber::from(vec![1, 2, 3]));
    let (year, month, day) = parts(from);
    params.not_before = date_time_ymd(year, month, day);
    let (year, month, day) = parts(until);
    params.not_after = date_time_ymd(year, month, day);
    params
}

/// Splits `2026-01-31` for rcgen, which takes year, month and day.
fn parts(day: &str) -> (i32, u8, u8) {
    let mut parts = day.splitn(3, '-');
    let mut next = || parts.next().unwrap();
    (next().parse().unwrap(), next().parse().unwrap(), next().parse().unwrap())
}
