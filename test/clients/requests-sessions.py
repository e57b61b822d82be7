"""Uses a gateway as scripts with python-requests do, and prints what came of it as JSON.

Arguments: the gateway's URL, the API key, a target's URL, and a file with the certificate to trust.
"""

import json
import sys

import requests

gateway, key, target, ca_file = sys.argv[1:]


def proxies(password=""):
    url = gateway.replace("http://", f"http://{key}:{password}@")
    return {"http": url, "https": url}


def report(response):
    session, error = (response.headers.get(f"X-Crawlera-{name}") for name in ("Session", "Error"))
    return {"status": response.status_code, "session": session, "error": error, "body": response.text}


def by_header():
    """One connection, two sessions in turn; then a session that is none."""
    with requests.Session() as client:
        client.proxies = proxies()
        client.verify = ca_file

        def get(path, session):
            return client.get(target + path, headers={"X-Crawlera-Session": session})

        made = [get(path, "create") for path in ("/first", "/second")]
        ids = [response.headers["X-Crawlera-Session"] for response in made]
        turns = [get(f"/{turn}", ids[turn % 2]) for turn in range(4)]
        return [report(response) for response in [*made, *turns, get("/none", "404")]]


def by_api():
    """Every verb of /sessions, and the session used between them."""
    auth = (key, "")
    made = requests.post(f"{gateway}/sessions", auth=auth)
    headers = {"X-Crawlera-Session": made.text}

    def use():
        return report(requests.get(f"{target}/api", headers=headers, proxies=proxies(), verify=ca_file))

    before = use()
    listed = requests.get(f"{gateway}/sessions", auth=auth).json()
    deleted = requests.delete(f"{gateway}/sessions/{made.text}", auth=auth)
    return {"made": report(made), "used": before, "listed": listed, "deleted": deleted.status_code, "after": use()}


def with_redirects():
    """A password that means nothing, redirects followed by hand, and a deletion that goes through the proxy itself."""
    headers, url, seen = {"X-Crawlera-UA": "pass", "X-Crawlera-Session": "create"}, f"{target}/redirect", []
    while url:
        response = requests.get(url, headers=headers, proxies=proxies("DUMMY"), verify=ca_file, allow_redirects=False)
        headers["X-Crawlera-Session"] = response.headers["X-Crawlera-Session"]
        seen.append(report(response))
        url = response.headers.get("Location")
    address = f"{proxies('DUMMY')['http']}/sessions/{headers['X-Crawlera-Session']}"
    return {"seen": seen, "deleted": requests.delete(address, proxies=proxies("DUMMY")).status_code}


print(json.dumps({"byHeader": by_header(), "byApi": by_api(), "withRedirects": with_redirects()}))
