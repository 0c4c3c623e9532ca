//! Whether a finite field is fit for Diffie-Hellman: a prime modulus, and a generator whose powers cannot be told one by one.

use crypto_bigint::{
    BoxedUint, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use crypto_primes::{Flavor, is_prime};
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The modulus is no prime.
    Composite,
    /// The generator's order has no factor above 2^10: the secret falls to Pohlig and Hellman's method.
    SmallSubgroup,
}

/// Looks for a flaw in a field (big-endian bytes); fields of more than 4,096 bits are not looked at, for the time that it would take.
pub(super) fn flaw(modulus: &[u8], generator: &[u8]) -> Option<Flaw> {
    if modulus.len() > MOST_BYTES || generator.len() > modulus.len() {
        return None;
    }
    // The same field comes with every audit of a server, and takes longer than all the rest of a judgement.
    let field = (modulus.to_vec(), generator.to_vec());
    if let Some(flaw) = known().get(&field) {
        return *flaw;
    }
    let flaw = look(modulus, generator);
    let mut known = known();
    if known.len() >= MOST_KNOWN {
        known.clear();
    }
    known.insert(field, flaw);
    flaw
}

fn known() -> MutexGuard<'static, Known> {
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn look(modulus: &[u8], generator: &[u8]) -> Option<Flaw> {
    let modulus = BoxedUint::from_be_slice_vartime(modulus);
    if !is_prime(Flavor::Any, &modulus) {
        return Some(Flaw::Composite);
    }
    let bits = modulus.bits_precision();
    let generator = BoxedUint::from_be_slice(generator, bits).ok()?;
    let params = BoxedMontyParams::new_vartime(Odd::new(modulus).into_option()?);
    let one = BoxedMontyForm::one(&params);
    let raise = |value: BoxedMontyForm, power: u16| value.pow_bounded_exp(&BoxedUint::from(power), u16::BITS);
    let power = powers_of_small_primes().fold(BoxedMontyForm::new(generator, &params), raise);
    (power == one || power == BoxedMontyForm::zero(&params)).then_some(Flaw::SmallSubgroup)
}

/// Returns, for each prime up to 2^10, its greatest power that fits.
fn powers_of_small_primes() -> impl Iterator<Item = u16> {
    let is_prime = |number: &u16| (2..*number).take_while(|divisor| divisor * divisor <= *number).all(|divisor| !number.is_multiple_of(divisor));
    (2..1_024).filter(is_prime).map(|prime| std::iter::successors(Some(prime), |power| power.checked_mul(prime)).last().unwrap_or(prime))
}

/// Fields by modulus and generator.
type Known = HashMap<(Vec<u8>, Vec<u8>), Option<Flaw>>;
const MOST_KNOWN: usize = 256;
const MOST_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    /// The prime of RFC 3526's group 14 is safe: (p - 1) / 2 is prime too.
    const MODP_2048: &str = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3be39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa051015728e5a8aacaa68ffffffffffffffff";

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        hexadecimal.parse::<parallax_model::bytes::Bytes>().unwrap().0
    }

    #[test]
    fn a_safe_prime_with_a_usual_generator_has_no_flaw() {
        assert_eq!(flaw(&bytes(MODP_2048), &[2]), None);
    }

    #[test]
    fn a_modulus_that_is_no_prime_is_told() {
        let mut composite = bytes(MODP_2048);
        *composite.last_mut().unwrap() -= 2;
        assert_eq!(flaw(&composite, &[2]), Some(Flaw::Composite));
        assert_eq!(flaw(&[0xff, 0xfe], &[2]), Some(Flaw::Composite), "even numbers too");
        assert_eq!(flaw(&[0; 256], &[2]), Some(Flaw::Composite));
    }

    #[test]
    fn a_generator_of_few_values_is_told() {
        let mut order_two = bytes(MODP_2048);
        *order_two.last_mut().unwrap() -= 1;
        for generator in [order_two, vec![1], vec![0]] {
            assert_eq!(flaw(&bytes(MODP_2048), &generator), Some(Flaw::SmallSubgroup), "{generator:?}");
        }
    }

    #[test]
    fn what_would_take_too_long_is_left_alone() {
        assert_eq!(flaw(&[0xff; MOST_BYTES + 1], &[2]), None);
    }
}
