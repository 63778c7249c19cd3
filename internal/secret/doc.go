// Package secret is every cryptographic choice of the project on one page:
// randomness, digests, sealed blobs, key derivation and password hashes.
//
// It never stores, logs or returns in an error what it is given to keep. Only
// authority, token and introspect may import it, and the assembly; it imports
// nothing of ours.
//
// # The choices
//
// Randomness is crypto/rand, 256 bits for a token: nobody guesses one, so a
// token can be looked up by digest without salt or stretching.
//
// Digest is SHA-256 (FIPS 180-4). What it covers is generated and carries at
// least 128 bits, or is a client's secret that the configuration holds in clear
// anyway; a slow hash would only cost every request. Digests are compared in
// constant time. Passwords never become a Digest.
//
// Seal is XChaCha20-Poly1305 (RFC 8439 with the extended nonce of
// draft-irtf-cfrg-xchacha). Its nonce of 192 bits may be drawn at random under one
// key for ever, where AES-GCM's 96 bits ask for a new key before 2^32 messages,
// which a busy login page reaches; and it needs no AES hardware to run in constant
// time. The first byte of a blob is its version and is authenticated with it, so
// that another cipher can be added without guessing.
//
// Derive is HKDF-SHA256 (RFC 5869). Each purpose has a label and therefore a key
// of its own: what was sealed for one is noise to every other.
//
// Passwords are argon2id (RFC 9106) or bcrypt, as `caddy hash-password` prints
// them. Parameters are bounded before anything is hashed, because a hash is input
// too: one that asks for a terabyte is refused when the configuration loads.
//
// Access tokens are signed in the token room: ES256 by default (short tokens,
// cheap signatures, understood everywhere), RS256 with 2048 bits for verifiers
// that know nothing else (the least RFC 7518 §3.3 allows and the least that
// costs; 3072 bits sign about three times as slowly, and keys rotate), and EdDSA
// with Ed25519 (RFC 8037).
//
// UUIDs are RFC 9562 version 4, or version 5 where a name must always give the
// same one; the latter's SHA-1 names things and protects nothing.
package secret
