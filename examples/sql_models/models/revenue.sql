select city, sum(cents) as cents
from {{ ref('paid_orders') }} join {{ ref('customers') }} on name = customer
group by city
