//! Client configurations by recipe, built once.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use parallax_model::profile::HelloRecipe;
use rustls::{
    ClientConfig, SignatureScheme, SupportedProtocolVersion,
    client::Resumption,
    crypto::{CryptoProvider, aws_lc_rs},
};

use super::recorder::Recorder;

/// A configuration that is costly to build and the same for every probe of a recipe.
pub(super) struct Template {
    pub(super) config: ClientConfig,
    pub(super) schemes: Arc<[SignatureScheme]>,
}

/// Returns the template of a recipe, none when the library lacks a part of it.
pub(super) fn template(recipe: &HelloRecipe) -> Option<Arc<Template>> {
    let mut templates = TEMPLATES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = templates.get(recipe) {
        return found.clone();
    }
    if templates.len() >= MAX_TEMPLATES {
        templates.clear();
    }
    let built = build(recipe).map(Arc::new);
    templates.insert(recipe.clone(), built.clone());
    built
}

fn build(recipe: &HelloRecipe) -> Option<Template> {
    let all = aws_lc_rs::default_provider();
    let suite = |number: &u16| aws_lc_rs::ALL_CIPHER_SUITES.iter().find(|suite| u16::from(suite.suite()) == *number).copied();
    let group = |number: &u16| aws_lc_rs::ALL_KX_GROUPS.iter().find(|group| u16::from(group.name()) == *number).copied();
    let known: Vec<SignatureScheme> = all.signature_verification_algorithms.supported_schemes();
    let scheme = |number: &u16| known.iter().find(|scheme| u16::from(**scheme) == *number).copied();
    let version = |number: &u16| ALL_VERSIONS.iter().find(|version| u16::from(version.version) == *number).copied();
    let provider = CryptoProvider {
        cipher_suites: recipe.cipher_suites.iter().map(suite).collect::<Option<_>>()?,
        kx_groups: recipe.groups.iter().map(group).collect::<Option<_>>()?,
        ..all
    };
    let versions: Vec<&SupportedProtocolVersion> = recipe.versions.iter().map(version).collect::<Option<_>>()?;
    let schemes: Arc<[SignatureScheme]> = recipe.signature_schemes.iter().map(scheme).collect::<Option<_>>()?;
    let stand_in = Arc::new(Recorder::new(provider.signature_verification_algorithms, Arc::clone(&schemes)));
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&versions)
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(stand_in)
        .with_no_client_auth();
    config.alpn_protocols = recipe.alpn.iter().map(|protocol| protocol.clone().into_bytes()).collect();
    // A ticket or a remembered group would make the second probe differ from the first and hide the fault.
    config.resumption = Resumption::disabled();
    Some(Template { config, schemes })
}

static TEMPLATES: LazyLock<Mutex<HashMap<HelloRecipe, Option<Arc<Template>>>>> = LazyLock::new(Mutex::default);
static ALL_VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
const MAX_TEMPLATES: usize = 64;
