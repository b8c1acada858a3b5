"""A small directory of regex files for the enricher device, of our own making."""

FILES = {
    "bots.yml": "- regex: 'ExampleBot'\n  name: 'ExampleBot'\n  category: 'Search bot'\n",
    "oss.yml": "- regex: 'Android[ /](\\d+[.\\d]*)'\n  name: 'Android'\n  version: '$1'\n",
    "client/browsers.yml": "- regex: 'Chrome/(\\d+[.\\d]*)'\n  name: 'Chrome'\n  version: '$1'\n  engine: {default: 'Blink'}\n",
    "device/mobiles.yml": "Gamma:\n  regex: 'GM-(X\\d)'\n  device: 'smartphone'\n  model: '$1'\n",
    "names.yml": "operating_systems: [{name: Android, family: Android}]\nbrowsers: [{name: Chrome, family: Chrome}]\n",
}


def regexes(t):
    folder = t.tmp / "regexes"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder
