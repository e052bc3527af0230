# shellcheck shell=bash
# Keys, certificates and kubeconfigs. They live as long as one run of the cluster: every
# `up` makes new ones, so that a half-written set can never be met again.

PKI=$STATE/pki

# P-256 throughout: such a key takes a millisecond, an RSA one up to a second.
new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$PKI/$1.key"; }

# authority NAME COMMON_NAME
authority() {
  new_key "$1"
  openssl req -x509 -new -key "$PKI/$1.key" -subj "/CN=$2" -days 3650 -out "$PKI/$1.crt" \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
}

# certificate AUTHORITY NAME SUBJECT USAGE [ALTERNATIVE_NAMES]
certificate() {
  local authority=$1 name=$2 subject=$3 usage=$4 names=${5:-}
  new_key "$name"
  # 20 random bytes: several are signed at once, so there can be no serial file.
  openssl req -new -key "$PKI/$name.key" -subj "$subject" |
    openssl x509 -req -CA "$PKI/$authority.crt" -CAkey "$PKI/$authority.key" \
      -set_serial "0x$(openssl rand -hex 19)" -days 3650 -out "$PKI/$name.crt" -extfile <(
      echo 'basicConstraints=critical,CA:FALSE'
      echo 'keyUsage=critical,digitalSignature'
      echo "extendedKeyUsage=$usage"
      [ -z "$names" ] || echo "subjectAltName=$names"
    )
}

# kubeconfig NAME: everything inside, so that the file can be copied elsewhere.
kubeconfig() {
  cat <<YAML
apiVersion: v1
kind: Config
clusters:
  - name: gamewarden
    cluster:
      server: https://$API_IP:6443
      certificate-authority-data: $(base64 -w0 "$PKI/ca.crt")
users:
  - name: $1
    user:
      client-certificate-data: $(base64 -w0 "$PKI/$1.crt")
      client-key-data: $(base64 -w0 "$PKI/$1.key")
contexts:
  - name: gamewarden
    context: {cluster: gamewarden, user: $1}
current-context: gamewarden
YAML
}

make_pki() {
  local name
  mkdir -p "$PKI"
  chmod 700 "$PKI"
  authority ca gamewarden-test-ca
  # Its own authority: who may act for others (aggregated APIs) is not merely a client.
  authority front-proxy-ca gamewarden-test-front-proxy-ca

  certificate ca apiserver /CN=kube-apiserver serverAuth \
    "IP:$API_IP,IP:$KUBERNETES_SERVICE_IP,IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
  certificate ca apiserver-kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
  certificate front-proxy-ca front-proxy-client /CN=front-proxy-client clientAuth
  certificate ca admin /O=system:masters/CN=admin clientAuth
  certificate ca controller-manager /CN=system:kube-controller-manager clientAuth
  certificate ca scheduler /CN=system:kube-scheduler clientAuth
  certificate ca proxy /CN=system:kube-proxy clientAuth

  new_key service-accounts
  openssl pkey -in "$PKI/service-accounts.key" -pubout -out "$PKI/service-accounts.pub"

  make_node_pki
  for name in controller-manager scheduler proxy; do
    kubeconfig "$name" >"$PKI/$name.kubeconfig"
  done
  # The person's own, and whole or absent.
  kubeconfig admin >"$KUBECONFIG_FILE.new"
  chmod 600 "$KUBECONFIG_FILE.new"
  mv "$KUBECONFIG_FILE.new" "$KUBECONFIG_FILE"
}

# The kubelet's own: no node can speak for another.
make_node_pki() {
  certificate ca "$NODE_NAME" "/O=system:nodes/CN=system:node:$NODE_NAME" clientAuth,serverAuth \
    "IP:$NODE_IP,DNS:$NODE_NAME"
  kubeconfig "$NODE_NAME" >"$PKI/$NODE_NAME.kubeconfig"
}
