// The certificate that https targets of the command show: self-signed, for localhost and 127.0.0.1, valid from 2024 to
// 2099. A server that verifies targets refuses it, and the checks that need it are then not run.

/** Key and certificate, both PEM. The key protects nothing: it is public. */
export const TARGET_CERTIFICATE = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSA5neXoKssOAwfPC
wWZ10X9ifkf3KdIqGnzbenYv+fShRANCAAQ2d6anlKsJuARw8XB3SZUqJDE+3pEh
+eoPDc5/5CVE6/W3s7aKKt4sjUaQmxfmCWdJ7nUF9C9B1MRiuU+3I+Qu
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBSDCB76ADAgECAgECMAoGCCqGSM49BAMCMB0xGzAZBgNVBAMTEmNvbmZvcm1h
bmNlIHRhcmdldDAgFw0yNDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowHTEb
MBkGA1UEAxMSY29uZm9ybWFuY2UgdGFyZ2V0MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAENnemp5SrCbgEcPFwd0mVKiQxPt6RIfnqDw3Of+QlROv1t7O2iireLI1G
kJsX5glnSe51BfQvQdTEYrlPtyPkLqMeMBwwGgYDVR0RBBMwEYIJbG9jYWxob3N0
hwR/AAABMAoGCCqGSM49BAMCA0gAMEUCIDdKPyv2DzPsj41WrL788G7SqI4nshpv
Pexk/LnphlYhAiEA+4YvHbjffGEA7QkvETEqe+n5ehNj0os2iMX44TT0wg0=
-----END CERTIFICATE-----
`,
} as const;
