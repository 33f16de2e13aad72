"""The beginning of a tiny notebook, for tests that make books of their own."""

START = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A chapter

"""
SEEDED = f"""{START}```{{code-cell}} ipython3
:tags: [parameters]

seed = 1
```

"""
