using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;

namespace DaprPlatform.ServiceDefaults.Data;

/// <summary>Names for people who write SQL: <c>order_lines.unit_price_minor</c>, without quotes.</summary>
public static class SnakeCase
{
    /// <summary>Call last in <c>OnModelCreating</c>. Explicit names of keys and indexes are kept.</summary>
    public static void UseSnakeCase(this ModelBuilder model)
    {
        foreach (var entity in model.Model.GetEntityTypes())
        {
            var table = entity.GetTableName()!;
            // xmin, the row version, is a column of the system.
            foreach (var property in entity.GetProperties().Where(p => !(p.IsConcurrencyToken && p.ClrType == typeof(uint))))
                property.SetColumnName(Of(property.Name));
            foreach (var key in entity.GetKeys())
                key.SetName("pk_" + table);
            foreach (var foreignKey in entity.GetForeignKeys())
                foreignKey.SetConstraintName($"fk_{table}_{foreignKey.PrincipalEntityType.GetTableName()}");
            foreach (var index in entity.GetIndexes())
                if (((IConventionIndex)index).GetDatabaseNameConfigurationSource() is null or ConfigurationSource.Convention)
                    index.SetDatabaseName($"ix_{table}_{string.Join('_', index.Properties.Select(p => Of(p.Name)))}");
        }
    }

    internal static string Of(string name)
    {
        var text = new StringBuilder(name.Length + 4);
        for (var i = 0; i < name.Length; i++)
        {
            if (char.IsAsciiLetterUpper(name[i]) && i > 0 && !char.IsAsciiLetterUpper(name[i - 1]))
                text.Append('_');
            text.Append(char.ToLowerInvariant(name[i]));
        }
        return text.ToString();
    }
}
