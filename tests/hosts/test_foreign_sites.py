"""What an owner keeps in an Nginx and a certificate of ours, and what he may lose there: nothing unasked."""

import re

EXPANDED = """cat > /etc/nginx/conf.d/www.conf <<'S'
server { listen 80; listen [::]:80; server_name www.sandbox.test; location / { return 200 www; }
  location ^~ /.well-known/acme-challenge/ { root /var/www/acme; default_type text/plain; } }
server { listen 443 ssl; listen [::]:443 ssl; server_name www.sandbox.test;
  ssl_certificate /etc/letsencrypt/live/health-v1/fullchain.pem;
  ssl_certificate_key /etc/letsencrypt/live/health-v1/privkey.pem; location / { return 200 "www over tls\\n"; } }
S
nginx -t -q; systemctl reload nginx; sleep 1
certbot certonly --non-interactive --server %s --webroot --webroot-path /var/www/acme --cert-name health-v1 \\
  -d api.sandbox.test -d www.sandbox.test --expand -q; systemctl reload nginx; sleep 1"""
KEPT = "cat /etc/nginx/conf.d/www.conf /etc/letsencrypt/*/health-v1*/* | sha256sum"


def _visit(world, name):
    found = world.running
    at = f"{name}:443:{found.edge.address}"
    return world.curl("--resolve", at, url=f"https://{name}/")


def test_a_name_that_somebody_added_to_our_certificate_is_lost_by_no_apply(broken, project):
    broken.shell(EXPANDED % broken.running.acme.directory_url)
    before = broken.shell(KEPT)
    code, plan = broken.json("plan", "sandbox")
    assert code == 1
    (fault,) = plan["faults"]
    assert fault["where"].endswith("name www.sandbox.test")
    assert "/etc/nginx/conf.d/www.conf serves it" in fault["what"]
    assert broken.cli("apply", "sandbox", "--yes").returncode == 1
    assert broken.shell(KEPT) == before

    settings = project / "group_data/sandbox.py"
    text = settings.read_text()
    settings.write_text(text + '\nstack = stack.model_copy(update={"aliases": ("www.sandbox.test",)})\n')
    broken.must("apply", "sandbox", "--yes", cwd=project)
    assert broken.json("plan", "sandbox", cwd=project)[1]["steps"] == []
    code, report = broken.json("verify", "sandbox", cwd=project)
    assert code == 0, [finding for finding in report["findings"] if not finding["holds"]]
    assert any("www.sandbox.test" in finding["claim"] for finding in report["findings"])
    assert _visit(broken, "www.sandbox.test").stdout == "www over tls\n"

    broken.shell("sed -i 's/ www.sandbox.test//' /var/lib/healthv1/ours/certificate")  # as if we had never asked for it
    (fault,) = broken.json("plan", "sandbox")[1]["faults"]
    broken.shell(re.search(r"of its own: (certbot .*reload nginx)", fault["hint"])[1])
    broken.must("apply", "sandbox", "--yes")
    assert _visit(broken, "www.sandbox.test").stdout == "www over tls\n"
    assert broken.curl().returncode == 0
    covered = "openssl x509 -in /etc/letsencrypt/live/health-v1/cert.pem -noout -ext subjectAltName"
    assert "www" not in broken.shell(covered)


def _long(length):
    """Return a name of so many characters. The sandbox's name server has no answer for more than about 190."""
    return ".".join(["n" * 60, "o" * 60, "p" * 63, "q" * 53])[: length - len(".sandbox.test")] + ".sandbox.test"


def test_aliases_however_long_are_answered_by_our_site_under_their_own_names(mended, project):
    settings, aliases = project / "group_data/sandbox.py", ("clinic.sandbox.test", *map(_long, (47, 65, 150)))
    settings.write_text(settings.read_text() + f'\nstack = stack.model_copy(update={{"aliases": {aliases}}})\n')
    mended.shell("echo 'server_names_hash_bucket_size 64;' > /etc/nginx/conf.d/his.conf; nginx -t")
    (fault,) = mended.json("plan", "sandbox", cwd=project)[1]["faults"]
    assert "/etc/nginx/conf.d/his.conf" in fault["where"]
    mended.shell(fault["hint"].removeprefix("run: "))
    _, plan = mended.json("plan", "sandbox", cwd=project)
    shown = [change["becomes"] for step in plan["steps"] for change in step["changes"]]
    assert any(text.startswith("api.sandbox.test, clinic.sandbox.test, nn") for text in shown)
    mended.must("apply", "sandbox", "--yes", cwd=project)
    mended.must("verify", "sandbox", cwd=project)
    plain = f"clinic.sandbox.test:80:{mended.running.edge.address}"
    told = mended.curl("-I", "--resolve", plain, url="http://clinic.sandbox.test/a?b=1").stdout
    assert "location: https://clinic.sandbox.test/a?b=1" in told.lower()
    for name in aliases:
        assert (
            '"status":"ready"'
            in mended.curl(
                "--resolve", f"{name}:443:{mended.running.edge.address}", url=f"https://{name}/health/ready"
            ).stdout
        )
    mended.shell("rm /etc/nginx/conf.d/his.conf")
    # The names were ours alone: they are given up without asking anybody.
    mended.must("apply", "sandbox", "--yes")
    mended.must("verify", "sandbox")


def test_what_a_killed_certbot_left_is_kept_until_the_authority_answers(broken, project):
    broken.shell("truncate -s 0 /etc/letsencrypt/renewal/health-v1.conf; echo x > /etc/nginx/tls/health-v1.pem")
    before = broken.shell("cat /etc/letsencrypt/archive/health-v1/* | sha256sum")
    settings = project / "group_data/sandbox.py"
    text = settings.read_text()
    away = 'certbot = certbot.model_copy(update={"directory_url": "https://127.0.0.1:9/dir"})'
    settings.write_text(f"{text}\n{away}\n")
    assert broken.cli("apply", "sandbox", "--yes", cwd=project).returncode == 1
    assert broken.shell("cat /etc/letsencrypt/archive/health-v1/* | sha256sum") == before
    copies = "/var/lib/healthv1/before/*/files/etc/letsencrypt/archive/health-v1"
    each = f"for copy in {copies}; do cat $copy/* | sha256sum; done"
    assert before in broken.shell(each).splitlines(keepends=True)
    broken.must("apply", "sandbox", "--yes")
    broken.must("verify", "sandbox")


def test_a_site_that_its_owner_adds_to_an_nginx_of_ours_is_his_also_where_the_packages_own_was(mended, driver):
    site = 'server { listen 80; server_name intranet.example.net; location / { return 200 "intranet\\n"; } }'
    mended.shell(f"echo '{site}' > /etc/nginx/sites-enabled/default; systemctl reload nginx; sleep 0.5")
    asked = "curl -s -H 'Host: intranet.example.net' 127.0.0.1"
    assert mended.shell(asked) == "intranet\n"
    assert driver.apply().planned == []
    mended.shell("echo '# edited' >> /etc/nginx/nginx.conf")
    driver.apply().assert_faithful()
    assert mended.shell(asked) == "intranet\n"
    mended.must("verify", "sandbox")
    mended.shell("rm /etc/nginx/sites-enabled/default; systemctl reload nginx")
