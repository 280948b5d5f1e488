select customer, cents from {{ ref('orders') }} where paid
