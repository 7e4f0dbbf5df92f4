-- Does this mix show the figures that the paper gives for Tülu 3?
-- parameters: tulu_chunk = "(?i)tulu[_-]?(v?3|hard)" — a chunk so named says that this is the Tülu 3 mix; measured values are null without
--   latex = "\\$[^$\\n]+\\$|\\\\\\[|\\\\\\(|\\\\frac|\\\\sqrt|\\\\begin\\{" — what LaTeX looks like in a prompt
--   two_part = "(?s)(^|\\n)\\s*(\\*\\*)?1\\..*\\n\\s*(\\*\\*)?2\\.|Role A.*Role B" — what a problem in two parts looks like
--   identity_chunk = "(?i)hard_?coded|identity" — the chunk that teaches the model who it is
-- Sections 4.2.1, 4.2.2 and 4.3, appendix A.4; the paper gives no patterns, so these are ours.
with paper_figures (figure_rank, figure, paper_value) as (
    values
    (1, 'rows whose query says “elucidate”', 2000),
    (2, 'share of those rows in one chunk', 0.85),
    (3, 'share of numinamath in the mix', 0.068),
    (4, 'share of numinamath prompts with LaTeX', 0.23),
    (5, 'share of other math prompts with LaTeX', 0.0007),
    (6, 'share of numinamath responses with sympy', 0.65),
    (7, 'P(“I hope it is correct” given two parts)', 0.93),
    (8, 'prompts that teach the model who it is', 220)
),

tulu_mixes as (
    select count(*) filter (where regexp_matches(chunk, getvariable('tulu_chunk'))) > 0 as is_tulu
    from corpus.rows
),

marked_rows as (
    select
        chunk,
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

counts as (
    select
        count(*) as mix_rows,
        count(*) filter (where has_elucidate) as elucidate_rows,
        count(*) filter (where is_numinamath) as numinamath_rows,
        count(*) filter (where is_numinamath and has_latex) as numinamath_latex_rows,
        count(*) filter (where is_numinamath and has_sympy) as numinamath_sympy_rows,
        count(*) filter (where is_other_math) as other_math_rows,
        count(*) filter (where is_other_math and has_latex) as other_math_latex_rows,
        count(*) filter (where has_two_parts) as two_part_rows,
        count(*) filter (where has_two_parts and has_hope) as two_part_hope_rows,
        count(*) filter (where is_identity) as identity_rows,
    from marked_rows
),

measurements as (
    select
        [
            elucidate_rows,
            (select max(chunk_rows / elucidate_rows) from elucidate_chunks),
            stats.share(numinamath_rows, mix_rows),
            stats.share(numinamath_latex_rows, numinamath_rows),
            stats.share(other_math_latex_rows, other_math_rows),
            stats.share(numinamath_sympy_rows, numinamath_rows),
            stats.share(two_part_hope_rows, two_part_rows),
            identity_rows,
        ] as measured_values,
    from counts
)

select
    figure,
    paper_value::double as paper_value,
    if(is_tulu, measured_values[figure_rank], null)::double as measured_value,
from paper_figures
cross join measurements
cross join tulu_mixes
order by figure_rank
