using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace DaprPlatform.Payments.Data.Migrations
{
    /// <inheritdoc />
    public partial class RefundStates : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "failure_reason",
                table: "refunds",
                type: "character varying(64)",
                maxLength: 64,
                nullable: false,
                defaultValue: "");

            migrationBuilder.AddColumn<string>(
                name: "status",
                table: "refunds",
                type: "character varying(16)",
                maxLength: 16,
                nullable: false,
                defaultValueSql: "'Completed'");

            migrationBuilder.CreateIndex(
                name: "ix_refunds_pending",
                table: "refunds",
                column: "created_at",
                filter: "status = 'Pending'");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_refunds_pending",
                table: "refunds");

            migrationBuilder.DropColumn(
                name: "failure_reason",
                table: "refunds");

            migrationBuilder.DropColumn(
                name: "status",
                table: "refunds");
        }
    }
}
