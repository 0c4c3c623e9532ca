//! An authority as a coordinator has it, and what it issues.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};
use parallax_model::bytes::Bytes;
use parallax_proto::{v1, wire};
use rcgen::{BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PublicKeyData as _};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::identity::Identity;

/// The keys of a fleet.
pub(crate) struct Fleet {
    issuer: Issuer<'static, KeyPair>,
    authority: CertificateDer<'static>,
    server: (CertificateDer<'static>, KeyPair),
    assignments: KeyPair,
    pub(crate) coordinators: Vec<String>,
}

fn params(name: &str, purpose: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![purpose];
    params.not_before = rcgen::date_time_ymd(2026, 11, 1);
    params.not_after = rcgen::date_time_ymd(2026, 12, 31);
    params
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, "Test fleet");
        let authority = ca.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(ca, key);
        let server_key = KeyPair::generate().unwrap();
        let server = params("coordinator", ExtendedKeyUsagePurpose::ServerAuth).signed_by(&server_key, &issuer).unwrap().der().clone();
        let assignments = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Self { issuer, authority, server: (server, server_key), assignments, coordinators: vec!["127.0.0.1:1".to_owned()] }
    }

    pub(crate) fn authority(&self) -> CertificateDer<'static> {
        self.authority.clone()
    }

    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        digest(&SHA256, &self.authority).as_ref().try_into().unwrap()
    }

    /// The coordinator's chain, the authority included.
    pub(crate) fn server_chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.server.0.clone(), self.authority()]
    }

    pub(crate) fn server_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.server.1.serialize_der()).into()
    }

    pub(crate) fn assignment_key(&self) -> Vec<u8> {
        self.assignments.subject_public_key_info()
    }

    pub(crate) fn sign(&self, set: &v1::AssignmentSet) -> v1::SignedAssignments {
        let assignment_set = wire::encode(set);
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.assignments.serialize_der()).unwrap();
        let signature = key.sign(&SystemRandom::new(), &assignment_set).unwrap().as_ref().to_vec();
        v1::SignedAssignments { assignment_set, signature }
    }

    /// Signs a request as the coordinator does: only the public key is taken from it.
    pub(crate) fn certify(&self, request: &[u8], name: &str) -> Vec<u8> {
        let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request.to_vec())).unwrap();
        params(name, ExtendedKeyUsagePurpose::ClientAuth).signed_by(&request.public_key, &self.issuer).unwrap().der().to_vec()
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = params(name, ExtendedKeyUsagePurpose::ClientAuth).signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Identity {
            name: name.parse().unwrap(),
            coordinators: self.coordinators.clone(),
            authority: Bytes(self.authority.to_vec()),
            assignment_key: Bytes(self.assignment_key()),
            certificate: Bytes(certificate),
            key: Bytes(key.serialize_der()),
        }
    }
}
