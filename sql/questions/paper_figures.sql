-- Does this mix show the figures that the paper gives for Tülu 3?
-- parameters: tulu_chunk = "(?i)tulu[_-]?(v?3|hard)" — a chunk so named says that this is the Tülu 3 mix; measured values are null without
--   latex = "\\$[^$\\n]+\\$|\\\\\\[|\\\\\\(|\\\\frac|\\\\sqrt|\\\\begin\\{" — what LaTeX looks like in a prompt
--   two_part = "(?s)(^|\\n)\\s*(\\*\\*)?1\\..*\\n\\s*(\\*\\*)?2\\.|Role A.*Role B" — what a problem in two parts looks like
--   identity_chunk = "(?i)hard_?coded|identity" — the chunk that teaches the model who it is
-- Sections 4.2.1, 4.2.2 and 4.3, appendix A.4; the paper gives no patterns, so these are ours.
with tulu_mixes as (
    select count(*) filter (where regexp_matches(chunk, getvariable('tulu_chunk'))) > 0 as is_tulu
    from (select distinct chunk from corpus.rows)
),

marked_rows as (
    select
        chunk,
        query,
        regexp_matches(query, '(?i)\belucidate\b') as has_elucidate,
        chunk ilike '%numinamath%' as is_numinamath,
        chunk ilike '%math%' and not chunk ilike '%numinamath%' as is_other_math,
        regexp_matches(query, getvariable('latex')) as has_latex,
        contains(response, 'sympy') as has_sympy,
        chunk ilike '%math%' and regexp_matches(query, getvariable('two_part')) as has_two_parts,
        regexp_matches(response, '(?i)I hope it is correct') as has_hope,
        regexp_matches(chunk, getvariable('identity_chunk')) as is_identity,
    from corpus.conversations
),

elucidate_chunks as (
    select
        count(*) as chunk_rows,
        sum(count(*)) over () as elucidate_rows,
    from marked_rows
    where has_elucidate
    group by chunk
),

measured_figures as (
    select
        count(*) filter (where has_elucidate) as elucidate_rows,
        (select max(chunk_rows / elucidate_rows) from elucidate_chunks) as elucidate_share,
        stats.share(count(*) filter (where is_numinamath), count(*)) as numinamath_share,
        stats.share(count(*) filter (where is_numinamath and has_latex), count(*) filter (where is_numinamath)) as latex_share,
        stats.share(count(*) filter (where is_other_math and has_latex), count(*) filter (where is_other_math)) as other_latex_share,
        stats.share(count(*) filter (where is_numinamath and has_sympy), count(*) filter (where is_numinamath)) as sympy_share,
        stats.share(count(*) filter (where has_two_parts and has_hope), count(*) filter (where has_two_parts)) as hope_rate,
        count(*) filter (where is_identity) as identity_rows,
    from marked_rows
),

figures as (
    select unnest([
        {figure_rank: 1, figure: 'rows whose query says “elucidate”', paper_value: 2000, measured_value: elucidate_rows},
        {figure_rank: 2, figure: 'share of those rows in one chunk', paper_value: 0.85, measured_value: elucidate_share},
        {figure_rank: 3, figure: 'share of numinamath in the mix', paper_value: 0.068, measured_value: numinamath_share},
        {figure_rank: 4, figure: 'share of numinamath prompts with LaTeX', paper_value: 0.23, measured_value: latex_share},
        {figure_rank: 5, figure: 'share of other math prompts with LaTeX', paper_value: 0.0007, measured_value: other_latex_share},
        {figure_rank: 6, figure: 'share of numinamath responses with sympy', paper_value: 0.65, measured_value: sympy_share},
        {figure_rank: 7, figure: 'P(“I hope it is correct” given two parts)', paper_value: 0.93, measured_value: hope_rate},
        {figure_rank: 8, figure: 'prompts that teach the model who it is', paper_value: 220, measured_value: identity_rows},
    ]) as one
    from measured_figures
)

select
    one.figure as figure,
    one.paper_value::double as paper_value,
    if(is_tulu, one.measured_value, null)::double as measured_value,
from figures
cross join tulu_mixes
order by one.figure_rank
