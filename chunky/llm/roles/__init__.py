"""Roles: what stage code asks of a model, whichever it is. One module a role, all of one form.

extractor     ten sentences about one query or one response, from its text alone
summarizer    one sentence for a cluster of such sentences
judge         how badly a response violates a rubric, 0 to 100
crux_picker   the attributes of a response that are most responsible for a violation
generator     a prompt of which all given attributes are true
perturber     rewordings of a prompt
target        the model under audit, which answers a query as it is

`requests(items, …)` gives one request per item, with a prompt for models and facts for the offline providers;
`read(request, reply)` gives what the reply says as a typed value, or the error and the text. `canaries` mixes exchanges
with known answers into judging.

asking     how a request is put together
reading    how a reply is taken apart
"""

from chunky.llm.roles.reading import Parsed

__all__ = ["Parsed"]
