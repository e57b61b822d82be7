// A self-signed certificate for localhost and 127.0.0.1, valid from 2024 to 2099, for https targets in tests.

/** Key and certificate, both PEM. The key protects nothing: it is public. */
export const SELF_SIGNED = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgI1sXx9YEIZL41HVa
4M5ybqe7IgNPPk2kMhzY3mhgjh6hRANCAATfx4oMyKtyHZpK17t8XbfPwCcVk91n
lonEbkFiYhMC5Hy5x43Ius+Eha8dzjizgwm5TwXTRKVmZen4fSl9pn8j
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBYzCCAQqgAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjQwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABN/HigzIq3IdmkrX
u3xdt8/AJxWT3WeWicRuQWJiEwLkfLnHjci6z4SFrx3OOLODCblPBdNEpWZl6fh9
KX2mfyOjSzBJMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAMBgNVHRMEBTAD
AQH/MB0GA1UdDgQWBBTTUzg9vlAs3LkVGoQgcnYIXyImtjAKBggqhkjOPQQDAgNH
ADBEAiB/iJwQuJPjXtQXBYdU/0ndvk6EKXg76cY/M24V68CrswIgIq9Zu5vl6Aho
UBIHKrRMXEBBzYmTXqFlqbvKxVAcaog=
-----END CERTIFICATE-----
`,
} as const;
