"""Makes the .deb and the .rpm: one description (packaging/package.toml), one staged tree, no network.

    description   what the package is          environment   the virtual environment with what runs in it
    tree          every file of it             manual, completions, licences   what is generated
    deb, rpm      the two formats

Rules: what was tested is what is packaged (the checkout's own virtual environment, checked against its records);
nothing of the time, the folder, the user or the umask of a build is in it.
"""
