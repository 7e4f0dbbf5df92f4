-- Which correlations turn around inside the chunks (Simpson)?
-- parameters: least_contents = 50 — pairs with fewer distinct triggered contents are left out
select
    triggers.text as trigger_text,
    behaviors.text as behavior_text,
    p_behavior_given_trigger,
    base_rate,
    log_odds,
    within_log_odds,
    within_low,
    within_high,
    trigger_contents,
    correlations.pairs.top_chunk,
    trigger_id,
    behavior_id,
from correlations.pairs
inner join correlations.features as triggers on trigger_id = triggers.feature_id
inner join correlations.features as behaviors on behavior_id = behaviors.feature_id
where is_reversed and not is_echo and trigger_contents >= getvariable('least_contents')
order by least(abs(log_odds), abs(within_log_odds)) desc, trigger_id asc, behavior_id asc
