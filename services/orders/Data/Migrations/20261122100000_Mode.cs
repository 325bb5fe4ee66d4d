using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace DaprPlatform.Orders.Data.Migrations
{
    /// <inheritdoc />
    public partial class Mode : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            // A constant default rewrites no row, and code of the version before may still insert.
            migrationBuilder.AddColumn<string>(
                name: "mode",
                table: "orders",
                type: "character varying(16)",
                maxLength: 16,
                nullable: false,
                defaultValue: "orchestrated");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "mode",
                table: "orders");
        }
    }
}
