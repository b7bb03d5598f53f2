"""Sites of the owner's in an Nginx of his."""

from tests.hosts.pasts.past import Past

_SITES = """export DEBIAN_FRONTEND=noninteractive; apt-get -qq update
apt-get -qqy install nginx curl openssl >/dev/null
rm -f /etc/nginx/sites-enabled/default
sed -i 's/worker_connections .*/worker_connections 700; # the owner measured this/' /etc/nginx/nginx.conf
cat > /etc/nginx/sites-enabled/default <<'S'
server { listen 80; server_name intranet.example.net; location / { return 200 "intranet\\n"; } }
S
useradd -m web; chmod 755 /home/web; mkdir /home/web/shop; echo shop-page > /home/web/shop/index.html
chown -R web: /home/web/shop; mkdir -p /var/cache/nginx /srv/owner
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 300 -subj /CN=shop.example.net \\
  -addext subjectAltName=DNS:shop.example.net -keyout /srv/owner/key.pem -out /srv/owner/shop.pem 2>/dev/null
cat > /etc/nginx/conf.d/shop.conf <<'S'
proxy_cache_path /var/cache/nginx/shop levels=1:2 keys_zone=shop:1m;
add_header X-Owner "http level";
limit_req_zone $binary_remote_addr zone=api:1m rate=1000r/s;
map $status $problem { default "the owner's"; }
server { listen 80 default_server; listen [::]:80 default_server; server_name _; return 410 "gone: $problem\\n"; }
server { listen 80; listen [::]:80; listen 443 ssl default_server; server_name shop.example.net; root /home/web/shop;
  ssl_certificate /srv/owner/shop.pem; ssl_certificate_key /srv/owner/key.pem;
  location / { }
  location /cached { proxy_pass http://127.0.0.1:8180/; proxy_cache shop; proxy_cache_valid 200 1d; } }
server { listen 127.0.0.1:8180; location / { return 200 "from behind\\n"; } }
S
nginx -t -q; systemctl restart nginx"""

_ANSWERS = """ask() { echo "== $*"; curl -si --max-time 5 "$@" | grep -vi '^date:'; }
for name in intranet shop unknown; do ask -H "Host: $name.example.net" http://127.0.0.1/; done
ask -H 'Host: unknown' 'http://[::1]/'
ask -H 'Host: shop.example.net' http://127.0.0.1/cached; ask -H 'Host: shop.example.net' http://127.0.0.1/none
ask --cacert /srv/owner/shop.pem --resolve shop.example.net:443:127.0.0.1 https://shop.example.net/
ask -k https://127.0.0.1/
find /etc/nginx -type f ! -name '*health-v1*' | sort | xargs md5sum; readlink /etc/nginx/sites-enabled/*[!1]
systemctl show -p ExecMainStartTimestamp -p MainPID -p DropInPaths nginx; systemctl is-enabled nginx
echo "bounds of ours: $(iptables -S 2>/dev/null | grep -cE 'connlimit|hashlimit')"
ls -d /var/cache/nginx/shop; stat -c '%U %a %n' /home/web /home/web/shop/index.html"""

PASTS = [
    Past(
        "nginx",
        "sites in a plain file, below /home and with a cache, and an nginx.conf that was measured",
        script=_SITES,
        looks=_ANSWERS,
        named=("/etc/nginx/sites-enabled/zz-health-v1",),
    ),
]
