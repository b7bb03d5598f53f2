# Lets a token plan and verify: read the secrets of ${mount}/${path}, and change nothing.
path "${mount}/data/${path}/*" {
  capabilities = ["read"]
}

path "${mount}/metadata/${path}/" {
  capabilities = ["list"]
}
