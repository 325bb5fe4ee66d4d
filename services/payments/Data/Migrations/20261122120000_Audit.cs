using DaprPlatform.ServiceDefaults.Data;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace DaprPlatform.Payments.Data.Migrations
{
    // The log is no part of the model: it is written and read by SQL alone.
    /// <inheritdoc />
    [DbContext(typeof(PaymentsDb))]
    [Migration("20261122120000_Audit")]
    public partial class Audit : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder) => migrationBuilder.CreateAuditLog();

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder) => migrationBuilder.DropAuditLog();
    }
}
