using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Outbox;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Users.Data;

internal sealed class UsersDb(DbContextOptions<UsersDb> options) : DbContext(options)
{
    public const string EmailIndex = "ux_users_email";

    public DbSet<User> Users => Set<User>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<User>(user =>
        {
            user.ToTable("users");
            user.HasKey(u => u.Id);
            user.Property(u => u.Id).ValueGeneratedNever();
            user.Property(u => u.Email).HasMaxLength(254);
            user.Property(u => u.NormalizedEmail).HasMaxLength(254);
            user.Property(u => u.PasswordHash).HasMaxLength(256);
            user.Property(u => u.FirstName).HasMaxLength(50);
            user.Property(u => u.LastName).HasMaxLength(50);
            user.Property(u => u.Phone).HasMaxLength(32);
            user.Property(u => u.Address).HasMaxLength(200);
            user.Property(u => u.Version).IsConcurrencyToken();
            user.HasIndex(u => u.NormalizedEmail).IsUnique().HasDatabaseName(EmailIndex);
        });
        OutboxModel.Configure(modelBuilder);
        modelBuilder.UseSnakeCase();
    }
}
