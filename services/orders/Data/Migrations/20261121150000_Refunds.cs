using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace DaprPlatform.Orders.Data.Migrations
{
    /// <inheritdoc />
    public partial class Refunds : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            // A constant default rewrites no row, and code of the version before may still insert.
            migrationBuilder.AddColumn<long>(
                name: "refunded_minor",
                table: "orders",
                type: "bigint",
                nullable: false,
                defaultValue: 0L);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "refunded_minor",
                table: "orders");
        }
    }
}
