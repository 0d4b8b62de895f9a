#!/usr/bin/env bash
# Makes the certificates that tests show to each other; they are worth nothing anywhere else. Good for a century.
set -euo pipefail
cd "$(dirname "$0")"
days=36500

authority() { # name
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days $days -subj "/CN=$1 of the tests" \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout "$1.key" -out "$1.pem" 2>/dev/null
}
signed() { # name, authority, subject alternative names, usage
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
  printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=%s\n' "$3" "$4" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days $days -extfile "$1.ext" -out "$1.pem" 2>/dev/null
  rm "$1.csr" "$1.ext"
}

authority authority
authority stranger
signed server authority "DNS:localhost,IP:127.0.0.1,IP:::1" serverAuth
signed elsewhere authority "DNS:cache.test" serverAuth
signed client authority "DNS:client.test" clientAuth
rm -f ./*.srl stranger.key authority.key
