using System.Buffers;
using System.Globalization;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Inventory;
using DaprPlatform.Inventory.Data;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Problems;
using Google.Protobuf.WellKnownTypes;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Inventory.Domain;

/// <summary>Reads the catalogue and imports into it.</summary>
internal sealed class CatalogStore(InventoryDb db, StockOptions options, CurrentUser user, TimeProvider time) : ICatalog
{
    private const int MaxImport = 1_000;
    private const string ImportedCategory = "imported";
    private static readonly SearchValues<char> SkuCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._- ");

    public async Task<ListProductsResponse> ListProductsAsync(ListProductsRequest request, CancellationToken cancellationToken)
    {
        var query = db.Products.AsNoTracking();
        if (request.CategoryId.Length > 0)
            query = query.Where(p => p.CategoryId == request.CategoryId);
        if (request.Search.Length > 0)
        {
            var pattern = "%" + request.Search.Replace(@"\", @"\\", StringComparison.Ordinal).Replace("%", @"\%", StringComparison.Ordinal)
                .Replace("_", @"\_", StringComparison.Ordinal) + "%";
            query = query.Where(p => EF.Functions.ILike(p.Name, pattern) || EF.Functions.ILike(p.Sku, pattern));
        }
        var page = Paging.Read(request.Page);
        var total = await query.LongCountAsync(cancellationToken);
        var rows = await (page.Cursor is { } cursor ? After(query, request.Sort, cursor) : Sorted(query, request.Sort).Skip(page.Offset))
            .Take(page.Limit + 1).ToListAsync(cancellationToken);
        var byPrice = request.Sort is "price" or "-price";
        var response = new ListProductsResponse { Page = page.Info(total, rows, p => byPrice ? Paging.Join(p.PriceMinor, p.Sku) : p.Sku) };
        response.Products.AddRange(rows.Take(page.Limit).Select(ToMessage));
        return response;
    }

    private static IQueryable<ProductRow> Sorted(IQueryable<ProductRow> query, string sort) => sort switch
    {
        "" or "sku" => query.OrderBy(p => p.Sku),
        "-sku" => query.OrderByDescending(p => p.Sku),
        "price" => query.OrderBy(p => p.PriceMinor).ThenBy(p => p.Sku),
        "-price" => query.OrderByDescending(p => p.PriceMinor).ThenByDescending(p => p.Sku),
        _ => throw Refusals.Validation("sort", "must be sku, -sku, price or -price"),
    };

    private static IQueryable<ProductRow> After(IQueryable<ProductRow> query, string sort, string cursor)
    {
        var ordered = Sorted(query, sort);
        if (sort is "price" or "-price")
        {
            var (price, last) = Paging.Split(cursor);
            return sort == "price"
                ? ordered.Where(p => p.PriceMinor > price || (p.PriceMinor == price && string.Compare(p.Sku, last) > 0))
                : ordered.Where(p => p.PriceMinor < price || (p.PriceMinor == price && string.Compare(p.Sku, last) < 0));
        }
        return sort == "-sku" ? ordered.Where(p => string.Compare(p.Sku, cursor) < 0) : ordered.Where(p => string.Compare(p.Sku, cursor) > 0);
    }

    public async Task<Product> GetProductAsync(GetProductRequest request, CancellationToken cancellationToken) =>
        await db.Products.AsNoTracking().FirstOrDefaultAsync(p => p.Sku == request.Sku, cancellationToken) is { } row
            ? ToMessage(row)
            : throw Refusals.NotFound("product-not-found", "There is no such product.");

    public async Task<ListCategoriesResponse> ListCategoriesAsync(ListCategoriesRequest request, CancellationToken cancellationToken)
    {
        var rows = await db.Categories.AsNoTracking().Where(c => c.Active || !request.ActiveOnly).OrderBy(c => c.Id)
            .Select(c => new { c.Id, c.Name, c.Active, Count = db.Products.LongCount(p => p.CategoryId == c.Id) }).ToListAsync(cancellationToken);
        var response = new ListCategoriesResponse();
        response.Categories.AddRange(rows.Select(c => new Category { Id = c.Id, Name = c.Name, Active = c.Active, ProductCount = c.Count }));
        return response;
    }

    public async Task<CheckStockResponse> CheckStockAsync(CheckStockRequest request, CancellationToken cancellationToken)
    {
        var skus = request.Lines.Select(l => l.Sku).Distinct().ToArray();
        var available = await db.Products.AsNoTracking().Where(p => skus.Contains(p.Sku))
            .ToDictionaryAsync(p => p.Sku, p => p.Available, StringComparer.Ordinal, cancellationToken);
        // Two lines of one product share what is there.
        var wanted = request.Lines.GroupBy(l => l.Sku).ToDictionary(g => g.Key, g => g.Sum(l => (long)l.Quantity), StringComparer.Ordinal);
        var response = new CheckStockResponse();
        foreach (var line in request.Lines)
        {
            var there = available.GetValueOrDefault(line.Sku);
            response.Lines.Add(new StockAnswer { Sku = line.Sku, Requested = line.Quantity, Available = there, Sufficient = wanted[line.Sku] <= there });
        }
        return response;
    }

    public async Task<GetPricesResponse> GetPricesAsync(GetPricesRequest request, CancellationToken cancellationToken)
    {
        var skus = request.Skus.Distinct().ToArray();
        var response = new GetPricesResponse();
        await db.PricesAsync(skus, response.Products.Add, cancellationToken);
        response.UnknownSkus.AddRange(skus.Except(response.Products.Select(p => p.Sku), StringComparer.Ordinal));
        return response;
    }

    /// <summary>Creates and updates products; a second import of the same rows changes nothing.</summary>
    public async Task<ImportProductsResponse> ImportProductsAsync(ImportProductsRequest request, CancellationToken cancellationToken)
    {
        // A line break in a name is how the file was made, not part of the name.
        foreach (var product in request.Products)
            product.Name = string.Join(' ', product.Name.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        Validate(request);
        // In order of SKU, as every statement that locks products.
        var rows = request.Products.OrderBy(p => p.Sku, StringComparer.Ordinal).ToArray();
        var categories = rows.Select(CategoryOf).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        var names = categories.Select(c => c == ImportedCategory ? "Imported" : c).ToArray();
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        await db.Database.ExecuteSqlAsync(
            $"INSERT INTO categories (id, name, active) SELECT id, name, TRUE FROM unnest({categories}, {names}) AS c(id, name) ON CONFLICT (id) DO NOTHING",
            cancellationToken);
        // An absent stock is written as -1 in the array: it leaves a known product's stock and is 0 for a new one.
        var changed = await db.Database.SqlQuery<bool>(
            $"""
             INSERT INTO products AS p (sku, name, description, category_id, price_minor, currency, available, reserved, sold, updated_at)
             SELECT sku, name, '', category_id, price_minor, currency, greatest(stock, 0), 0, 0, {time.GetUtcNow()}
               FROM unnest({rows.Select(p => p.Sku).ToArray()}, {rows.Select(p => p.Name).ToArray()}, {rows.Select(CategoryOf).ToArray()},
                           {rows.Select(p => p.PriceMinor).ToArray()}, {rows.Select(CurrencyOf).ToArray()}, {rows.Select(p => p.HasStock ? p.Stock : -1).ToArray()})
                    WITH ORDINALITY AS r(sku, name, category_id, price_minor, currency, stock, position)
              ORDER BY position
             ON CONFLICT (sku) DO UPDATE
                SET name = EXCLUDED.name, category_id = EXCLUDED.category_id, price_minor = EXCLUDED.price_minor, currency = EXCLUDED.currency,
                    available = CASE WHEN {request.SetStock} THEN EXCLUDED.available ELSE p.available END, updated_at = EXCLUDED.updated_at
              WHERE (p.name, p.category_id, p.price_minor, p.currency) IS DISTINCT FROM (EXCLUDED.name, EXCLUDED.category_id, EXCLUDED.price_minor, EXCLUDED.currency)
                 OR ({request.SetStock} AND p.available <> EXCLUDED.available)
             RETURNING (xmax = 0) AS "Value"
             """).ToListAsync(cancellationToken);
        await db.AuditAsync(
            user.Id.ToString(),
            "catalogue.import",
            rows.Length == 1 ? rows[0].Sku : $"{rows.Length} products",
            new { created = changed.Count(c => c), updated = changed.Count(c => !c), request.SetStock },
            time.GetUtcNow(),
            cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        var created = changed.Count(isNew => isNew);
        return new ImportProductsResponse { Created = created, Updated = changed.Count - created, Unchanged = rows.Length - changed.Count };
    }

    private static void Validate(ImportProductsRequest request)
    {
        var validator = new Validator().Require(request.Products.Count is >= 1 and <= MaxImport, "products", $"must have 1 to {MaxImport} entries");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < request.Products.Count; i++)
        {
            var product = request.Products[i];
            var field = string.Create(CultureInfo.InvariantCulture, $"products[{i}]");
            validator
                .Require(IsSku(product.Sku), field + ".sku", "must have 1 to 64 letters, digits, blanks, '.', '_' or '-', no blank at either end")
                .Require(seen.Add(product.Sku), field + ".sku", "is there twice")
                .Text(product.Name, field + ".name", 1, 200)
                .Require(product.PriceMinor is > 0 and <= 1_000_000_000_000, field + ".priceMinor", "must be above 0")
                .Require(!product.HasStock || product.Stock is >= 0 and <= 1_000_000_000_000, field + ".stock", "must not be negative")
                .Require(!request.SetStock || product.HasStock, field + ".stock", "is required with setStock")
                .Require(product.Currency.Length == 0 || Money.IsCurrency(product.Currency), field + ".currency", "must be an ISO 4217 code")
                .Require(product.CategoryId.Length == 0 || IsSku(product.CategoryId), field + ".categoryId", "must have the form of a SKU");
        }
        validator.ThrowIfInvalid();
    }

    private static bool IsSku(string text) => text.Length is > 0 and <= 64 && text[0] != ' ' && text[^1] != ' ' && !text.AsSpan().ContainsAnyExcept(SkuCharacters);

    private static string CategoryOf(ImportProduct product) => product.CategoryId.Length > 0 ? product.CategoryId : ImportedCategory;

    private string CurrencyOf(ImportProduct product) => product.Currency.Length > 0 ? product.Currency : options.DefaultCurrency;

    private static Product ToMessage(ProductRow row) => new()
    {
        Sku = row.Sku,
        Name = row.Name,
        Description = row.Description,
        CategoryId = row.CategoryId,
        PriceMinor = row.PriceMinor,
        Currency = row.Currency,
        Available = row.Available,
        UpdatedAt = Timestamp.FromDateTimeOffset(row.UpdatedAt),
        Etag = string.Create(CultureInfo.InvariantCulture, $"\"{row.Version:x}\""),
    };
}
