-- stats.prior_log_odds: log odds of holding something inside a group against outside it, both pulled towards the rate of all by a prior worth `prior_rows` rows; null where there is no outside
-- paper: own (Monroe, Colaresi and Quinn 2008, with a prior of two cells)
create or replace macro stats.prior_log_odds(held_inside, inside, held, total, prior_rows) as
    case
        when total > inside then
            ln(
                (held_inside + prior_rows * (held + 0.5) / (total + 1))
                / (inside - held_inside + prior_rows * (total - held + 0.5) / (total + 1))
            )
            - ln(
                (held - held_inside + prior_rows * (held + 0.5) / (total + 1))
                / (total - inside - (held - held_inside) + prior_rows * (total - held + 0.5) / (total + 1))
            )
    end;

-- tests
select stats.equals(stats.prior_log_odds(10, 100, 20, 200, 50), 0.0);
select stats.equals(round(stats.prior_log_odds(30, 100, 30, 1000, 250), 3), 2.894);
select stats.equals(stats.prior_log_odds(5, 10, 5, 10, 2), null);
