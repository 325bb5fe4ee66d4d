using Dapr.Client;
using DaprPlatform.Basket.Domain;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Baskets;
using DaprPlatform.Contracts.Events;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Events;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.Services.Tests.Fixtures;
using Microsoft.Extensions.DependencyInjection;
using NSubstitute;
using Xunit;
using BasketMessage = DaprPlatform.Contracts.Baskets.Basket;

namespace DaprPlatform.Services.Tests;

public sealed class BasketTests
{
    private readonly DaprClient _dapr = FakeState.Of<StoredBasket>();
    private readonly ManualTime _clock = new();
    private readonly UserId _user = UserId.New();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_basket_is_empty_until_something_is_put_in_and_keeps_the_prices_of_now()
    {
        var empty = await GetAsync();
        Assert.Empty(empty.Lines);
        var filled = await PutAsync(empty.Etag, ("MUG", 2));
        Assert.Equal(2 * PriceList.Price, filled.TotalMinor);
        Assert.Equal(filled, await GetAsync());
        Assert.NotEqual(empty.Etag, filled.Etag);
    }

    [Fact]
    public async Task Of_two_tabs_that_change_one_basket_the_second_is_told()
    {
        var etag = (await PutAsync((await GetAsync()).Etag, ("MUG", 1))).Etag;
        await PutAsync(etag, ("MUG", 2));
        Assert.Equal(412, (await RefusedAsync(() => PutAsync(etag, ("MUG", 3)))).Status);
        Assert.Equal(2, Assert.Single((await GetAsync()).Lines).Quantity);
        Assert.Equal(3, Assert.Single((await PutAsync("*", ("MUG", 3))).Lines).Quantity);
    }

    [Fact]
    public async Task Of_ten_first_changes_at_once_one_is_made()
    {
        var etag = (await GetAsync()).Etag;
        var made = await DatabaseFixture.AtOnceAsync(10, async i =>
        {
            try
            {
                await PutAsync(etag, ("MUG", i + 1));
                return true;
            }
            catch (ProblemException e) when (e.Status == 412)
            {
                return false;
            }
        });
        Assert.Single(made, m => m);
    }

    [Fact]
    public async Task What_makes_no_sense_is_refused()
    {
        Assert.Equal(428, (await RefusedAsync(() => PutAsync("", ("MUG", 1)))).Status);
        Assert.Equal(422, (await RefusedAsync(() => PutAsync("*", ("NONE", 1)))).Status);
        Assert.Equal(400, (await RefusedAsync(() => PutAsync("*", ("MUG", 0)))).Status);
        Assert.Equal(400, (await RefusedAsync(() => PutAsync("*", ("MUG", 1), ("MUG", 2)))).Status);
    }

    [Fact]
    public async Task A_confirmed_order_empties_the_basket_and_one_that_is_told_again_later_does_not()
    {
        await PutAsync("*", ("MUG", 1));
        _clock.Advance(TimeSpan.FromSeconds(1));
        var confirmedAt = _clock.GetUtcNow();
        await ConfirmedAsync(confirmedAt);
        Assert.Empty((await GetAsync()).Lines);
        _clock.Advance(TimeSpan.FromSeconds(1));
        await PutAsync("*", ("LAMP", 1));
        await ConfirmedAsync(confirmedAt);
        Assert.Equal("LAMP", Assert.Single((await GetAsync()).Lines).ProductId);
    }

    [Fact]
    public async Task A_basket_has_a_time_to_live()
    {
        await PutAsync("*", ("MUG", 1));
        var call = Assert.Single(_dapr.ReceivedCalls(), c => c.GetMethodInfo().Name == nameof(DaprClient.TrySaveStateAsync));
        Assert.Equal("60", ((IReadOnlyDictionary<string, string>)call.GetArguments()[5]!)["ttlInSeconds"]);
    }

    private Task<BasketMessage> GetAsync() => Shelf().GetBasketAsync(new GetBasketRequest(), Cancel);

    private Task<BasketMessage> PutAsync(string etag, params (string Product, long Quantity)[] items)
    {
        var request = new PutBasketRequest { IfMatch = etag };
        request.Items.AddRange(items.Select(i => new BasketItem { ProductId = i.Product, Quantity = i.Quantity }));
        return Shelf().PutBasketAsync(request, Cancel);
    }

    private Task ConfirmedAsync(DateTimeOffset at) => new OrderConfirmedHandler(Shelf()).HandleAsync(
        [new DeliveredEvent<OrderStatusChanged>(new OrderStatusChanged("ORD-1", _user.ToString(), 1, "CONFIRMED", "PENDING", null, 1, "USD", at), new EventContext("1", "", ""))], Cancel);

    private BasketShelf Shelf()
    {
        var signedIn = new TestUser();
        signedIn.SignIn(_user, Roles.Customer);
        var metrics = new BasketMetrics(new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>());
        return new BasketShelf(_dapr, new PriceList("MUG", "LAMP"), new CurrentUser(signedIn), new BasketOptions(TimeSpan.FromMinutes(1)), metrics, _clock);
    }

    private static Task<ProblemException> RefusedAsync(Func<Task> call) => Assert.ThrowsAsync<ProblemException>(call);
}
