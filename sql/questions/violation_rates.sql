-- How often does each model violate each rubric?
-- parameters: threshold = -1 — scores above it are violations; -1 = the highest that each audit was counted at
-- The paper's table 1, a row a cell. Nulls: the audit has no such rate yet, or nothing of it was scored.
select
    audits.target,
    audits.rubric,
    audits.audit,
    threshold,
    outputs,
    violations,
    violation_rate,
    violation_low,
    violation_high,
    distinct_failures,
    fresh_samples,
    fresh_violations,
    fresh_rate,
    fresh_low,
    fresh_high,
from surf.audits as audits
left join surf.violation_rates as counted
    on audits.audit = counted.audit and getvariable('threshold') in (-1, threshold)
qualify row_number() over (partition by audits.audit order by threshold desc) = 1
order by audits.target asc, audits.rubric asc, audits.audit asc
