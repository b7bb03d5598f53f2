# Lets a token deploy: read the secrets of ${mount}/${path}, and create those that are missing. It can overwrite none.
path "${mount}/data/${path}/*" {
  capabilities = ["create", "read"]
}

path "${mount}/metadata/${path}/" {
  capabilities = ["list"]
}
