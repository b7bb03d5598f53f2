# Lets a token rotate, supply and export the secrets of ${mount}/${path}. Old versions stay: it can delete none.
path "${mount}/data/${path}/*" {
  capabilities = ["create", "read", "update"]
}

path "${mount}/metadata/${path}/" {
  capabilities = ["list"]
}
