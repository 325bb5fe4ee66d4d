using DaprPlatform.Cli.Retail;

namespace DaprPlatform.EndToEnd.Tests;

public sealed class ReplayTests(StackFixture stack)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_excerpt_of_the_retail_data_is_ordered_and_the_books_balance()
    {
        var excerpt = RetailFile.Read(Path.Combine(stack.Root, "tests", "data", "online-retail-excerpt.csv"));
        using var gateway = stack.Gateway(TimeSpan.FromMinutes(1));
        using var oper = stack.Operator(gateway);
        var catalogue = await CatalogueImport.RunAsync(oper, excerpt, null, static _ => { }, Cancel);
        var again = await CatalogueImport.RunAsync(oper, excerpt, null, static _ => { }, Cancel);
        Assert.Equal((catalogue.Products, again.Products), (again.Unchanged, catalogue.Created + catalogue.Updated + catalogue.Unchanged));

        var invariants = stack.Invariants();
        var start = await invariants.StockAsync(Cancel);
        var replay = new Replay(gateway, oper, new ReplayOptions(8, null, "excerpt", TimeSpan.FromMinutes(1)), TimeProvider.System);
        var report = await replay.RunAsync(excerpt, static (_, _, _) => { }, Cancel);
        Assert.Equal((excerpt.Invoices().Count, 0), (report.Confirmed, report.Undecided.Count));

        // The same keys: nothing is ordered twice.
        var repeated = await new Replay(gateway, oper, new ReplayOptions(8, null, "excerpt", TimeSpan.FromMinutes(1)), TimeProvider.System).RunAsync(excerpt, static (_, _, _) => { }, Cancel);
        Assert.Equal((report.Accepted, report.Confirmed), (repeated.AcceptedBefore, repeated.Confirmed));

        await Books.BalanceAsync(invariants, start, stack, Cancel);
    }
}
