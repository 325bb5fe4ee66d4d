using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace DaprPlatform.Orders.Data.Migrations
{
    // The read model is no part of the model: it is written and read by SQL alone. What was there before is built by the first start.
    /// <inheritdoc />
    [DbContext(typeof(OrdersDb))]
    [Migration("20261122130000_OrderSummaries")]
    public partial class OrderSummaries : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.Sql(
            """
            CREATE TABLE order_summary_state (
                id boolean PRIMARY KEY DEFAULT true CHECK (id),
                active integer NOT NULL,
                building integer,
                since timestamptz);
            CREATE TABLE order_summary_progress (generation integer PRIMARY KEY, position uuid NOT NULL, built bigint NOT NULL);
            CREATE TABLE order_summaries (
                generation integer NOT NULL,
                order_id uuid NOT NULL,
                user_id uuid NOT NULL,
                number bigint,
                currency char(3) NOT NULL,
                total_minor bigint,
                pieces integer,
                refunded_minor bigint NOT NULL,
                created_at timestamptz,
                timeline jsonb NOT NULL,
                status text GENERATED ALWAYS AS (CASE
                    WHEN timeline ? 'CANCELLED' THEN 'CANCELLED' WHEN timeline ? 'DELIVERED' THEN 'DELIVERED' WHEN timeline ? 'SHIPPED' THEN 'SHIPPED'
                    WHEN timeline ? 'PROCESSING' THEN 'PROCESSING' WHEN timeline ? 'CONFIRMED' THEN 'CONFIRMED' ELSE 'PENDING' END) STORED,
                PRIMARY KEY (generation, order_id));
            CREATE INDEX ix_order_summaries_user ON order_summaries (generation, user_id, order_id);
            CREATE INDEX ix_order_summaries_time ON order_summaries (generation, created_at);
            INSERT INTO order_summary_state (active, building, since) VALUES (1, 2, now());
            """);

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder) =>
            migrationBuilder.Sql("DROP TABLE order_summaries; DROP TABLE order_summary_progress; DROP TABLE order_summary_state;");
    }
}
