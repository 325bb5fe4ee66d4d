using System.Text.Json.Nodes;

namespace DaprPlatform.Cli.Retail;

/// <summary>What an import did. Products counts those of the file.</summary>
internal sealed record CatalogueReport(int Products, int Created, int Updated, int Unchanged, IReadOnlyList<RetailProblem> Problems);

/// <summary>Loads the products of a retail file through the gateway, as an operator. Importing again changes nothing.</summary>
internal static class CatalogueImport
{
    private const int LargestBatch = 1000;

    /// <param name="stock">Units of each new product; null is what the file sells of it and a good reserve.</param>
    /// <exception cref="CommandException">The gateway refuses a batch.</exception>
    public static async Task<CatalogueReport> RunAsync(Customer oper, RetailFile file, long? stock, Action<string> report, CancellationToken cancel)
    {
        const long reserve = 10_000;
        var products = file.Products();
        int created = 0, updated = 0, unchanged = 0;
        foreach (var batch in products.Chunk(LargestBatch))
        {
            var list = new JsonArray([.. batch.Select(p => (JsonNode)new JsonObject
            {
                ["sku"] = p.Sku,
                ["name"] = p.Name,
                ["priceMinor"] = p.PriceMinor,
                ["stock"] = stock ?? p.Demand + reserve,
            })]);
            var answer = await oper.SendAsync(HttpMethod.Post, "api/v1/inventory/import", new JsonObject { ["products"] = list }, cancel);
            if (!answer.Succeeded)
                throw new CommandException($"The import of {batch[0].Sku} to {batch[^1].Sku} failed: {answer}{Errors(answer)}");
            created += (int?)answer.Data?["created"] ?? 0;
            updated += (int?)answer.Data?["updated"] ?? 0;
            unchanged += (int?)answer.Data?["unchanged"] ?? 0;
            report($"{created + updated + unchanged} of {products.Count} products");
        }

        // A line without a price tells nothing about a product, and neither does an unreadable one; returns do not concern the catalogue.
        return new CatalogueReport(products.Count, created, updated, unchanged, [.. file.Problems.Where(p => p.Reason is "unreadable" or "no price")]);
    }

    private static string Errors(GatewayAnswer answer) => answer.Body?["errors"] is { } errors ? "\n" + errors.ToJsonString() : "";
}
